//! `/transfers`: stock on its way from one warehouse to another.

use actix_web::{HttpRequest, HttpResponse, web, web::Path};
use serde::{Deserialize, Serialize};
use stockade_actors::{Engine, NewTransfer};
use stockade_domain::{
    ProductId, Quantity, TransferId, WarehouseId,
    transfer::{Discrepancy, Transfer, TransferCommand, TransferStatus},
};
use utoipa::ToSchema;

use crate::{
    answer::{self, Cached},
    command::Acting,
    etag::Expected,
    extract::Input,
    openapi::{
        answers::{Conflict, Done, IfMatch, Made, Many, One, Paging},
        kinds,
    },
    page::Page,
    problem::Problem,
    query::Params,
    refusals::{Named, locating, plain},
    state::Shared,
    time::Time,
};

/// A transfer, as clients read it.
#[derive(Serialize, ToSchema)]
#[schema(
    as = Transfer,
    examples(json!({"id": 1, "status": "in_transit", "product_id": 1, "from_warehouse_id": 1, "to_warehouse_id": 2, "quantity": 10, "in_transit": 10, "received": 0, "missing": 0, "restocked": 0, "discrepancies": [], "cancel_reason": null, "created_at": "2026-01-31T12:00:00.000Z", "updated_at": "2026-01-31T12:00:00.000Z", "version": 1}))
)]
pub(crate) struct TransferView<'a> {
    #[schema(value_type = kinds::Id)]
    id: TransferId,
    #[schema(value_type = kinds::TransferStatus)]
    status: &'static str,
    #[schema(value_type = kinds::Id)]
    product_id: ProductId,
    #[schema(value_type = kinds::Id)]
    from_warehouse_id: WarehouseId,
    #[schema(value_type = kinds::Id)]
    to_warehouse_id: WarehouseId,
    #[schema(value_type = kinds::Count)]
    quantity: Quantity,
    #[schema(value_type = kinds::Count)]
    in_transit: Quantity,
    #[schema(value_type = kinds::Count)]
    received: Quantity,
    #[schema(value_type = kinds::Count)]
    missing: Quantity,
    #[schema(value_type = kinds::Count)]
    restocked: Quantity,
    discrepancies: Vec<DiscrepancyView<'a>>,
    cancel_reason: Option<&'a str>,
    created_at: Time,
    updated_at: Time,
    #[schema(value_type = kinds::Version)]
    version: u32,
}

/// Units that did not come in, and why.
#[derive(Serialize, ToSchema)]
#[schema(
    as = Discrepancy,
    examples(json!({"quantity": 1, "reason": "broken on the road", "at": "2026-01-31T12:00:00.000Z"}))
)]
struct DiscrepancyView<'a> {
    #[schema(value_type = kinds::Quantity)]
    quantity: Quantity,
    reason: &'a str,
    at: Time,
}

impl<'a> From<&'a Transfer> for TransferView<'a> {
    fn from(transfer: &'a Transfer) -> Self {
        let dispatched = &transfer.dispatched;
        let discrepancy = |found: &'a Discrepancy| DiscrepancyView {
            quantity: found.quantity,
            reason: &found.reason,
            at: Time(found.at),
        };
        Self {
            id: dispatched.id,
            status: name(transfer.status()),
            product_id: dispatched.product,
            from_warehouse_id: dispatched.from,
            to_warehouse_id: dispatched.to,
            quantity: dispatched.quantity,
            in_transit: transfer.on_the_road(),
            received: transfer.received,
            missing: transfer.missing,
            restocked: transfer.restocked,
            discrepancies: transfer.discrepancies.iter().map(discrepancy).collect(),
            cancel_reason: transfer.cancel_reason.as_deref(),
            created_at: Time(dispatched.at),
            updated_at: Time(transfer.updated_at),
            version: transfer.version,
        }
    }
}

fn name(status: TransferStatus) -> &'static str {
    match status {
        TransferStatus::InTransit => "in_transit",
        TransferStatus::Completed => "completed",
        TransferStatus::Cancelled => "cancelled",
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = NewTransfer,
    examples(json!({"product_id": 1, "from_warehouse_id": 1, "to_warehouse_id": 2, "quantity": 1, "in_transit": true}))
)]
pub(crate) struct NewTransferBody {
    #[schema(value_type = kinds::Id)]
    product_id: u64,
    #[schema(value_type = kinds::Id)]
    from_warehouse_id: u64,
    #[schema(value_type = kinds::Id)]
    to_warehouse_id: u64,
    #[schema(value_type = kinds::Quantity)]
    quantity: Quantity,
    in_transit: Option<bool>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = ReceiveTransfer,
    examples(json!({"quantity": 9, "discrepancy": {"quantity": 1, "reason": "broken on the road"}}))
)]
pub(crate) struct ReceiveBody {
    #[schema(value_type = Option<kinds::Count>)]
    quantity: Option<Quantity>,
    discrepancy: Option<DiscrepancyBody>,
    #[schema(value_type = Option<kinds::Version>)]
    version: Option<u32>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = NewDiscrepancy,
    examples(json!({"quantity": 1, "reason": "broken on the road"}))
)]
struct DiscrepancyBody {
    #[schema(value_type = kinds::Quantity)]
    quantity: Quantity,
    #[schema(value_type = kinds::Text)]
    reason: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = CancelTransfer,
    examples(json!({"restock": true, "reason": "sent by mistake"}))
)]
pub(crate) struct CancelBody {
    restock: Option<bool>,
    #[schema(value_type = Option<kinds::Text>)]
    reason: Option<String>,
    #[schema(value_type = Option<kinds::Version>)]
    version: Option<u32>,
}

fn find(engine: &Engine, id: u64) -> Result<Transfer, Problem> {
    engine.transfer_of(TransferId(id)).ok_or_else(|| Problem::not_found("transfer", id))
}

/// `POST /warehouses/transfer`.
#[utoipa::path(
    post, path = "/warehouses/transfer", tag = "transfers", summary = "Moves stock to another warehouse, at once or by road",
    request_body = NewTransferBody,
    responses(Made<TransferView<'static>>, Conflict),
)]
pub(crate) async fn create(
    req: HttpRequest,
    acting: Acting,
    body: Input<NewTransferBody>,
) -> Result<HttpResponse, Problem> {
    let body = body.valid()?;
    let request = NewTransfer {
        product: ProductId(body.product_id),
        from: WarehouseId(body.from_warehouse_id),
        to: WarehouseId(body.to_warehouse_id),
        quantity: body.quantity,
        in_transit: body.in_transit.unwrap_or(false),
    };
    let locate = |named: Named<'_>| match named {
        Named::Thing("product", _) => Some("/product_id".to_owned()),
        Named::Thing("warehouse", id) if id == body.from_warehouse_id => {
            Some("/from_warehouse_id".to_owned())
        }
        Named::Thing("warehouse", _) => Some("/to_warehouse_id".to_owned()),
        named => plain(named),
    };
    let transfer = acting.transfer(request).await.map_err(locating(locate))?;
    Ok(done(&req, &transfer))
}

/// The answer to a command about a transfer.
pub(crate) fn done(req: &HttpRequest, transfer: &Transfer) -> HttpResponse {
    let place = transfer.dispatched.id;
    answer::done(req, format_args!("/transfers/{place}"), &TransferView::from(transfer))
}

/// `GET /transfers`.
#[utoipa::path(
    get, path = "/transfers", tag = "transfers", summary = "A page of transfers",
    params(
        Paging,
        ("product_id" = kinds::Id, Query, description = "Of this product."),
        ("warehouse_id" = kinds::Id, Query, description = "From or to this warehouse."),
        ("status" = kinds::TransferStatus, Query, description = "In this state."),
    ),
    responses(Many<TransferView<'static>>),
)]
pub(crate) async fn list(req: HttpRequest, state: Shared) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&req);
    let page = Page::of(&req, &mut params);
    let after = page.after_id(&mut params);
    let product = params.id("product_id").map(ProductId);
    let warehouse = params.id("warehouse_id").map(WarehouseId);
    let status = params.read("status", "in_transit, completed or cancelled", |text| {
        [TransferStatus::InTransit, TransferStatus::Completed, TransferStatus::Cancelled]
            .into_iter()
            .find(|status| name(*status) == text)
    });
    params.finish()?;
    let fits = move |transfer: &Transfer| {
        let dispatched = &transfer.dispatched;
        product.is_none_or(|product| dispatched.product == product)
            && warehouse.is_none_or(|place| dispatched.from == place || dispatched.to == place)
            && status.is_none_or(|status| transfer.status() == status)
    };
    let (engine, look_for) = (state.engine.clone(), page.look_for());
    let search = move || engine.transfers(after, look_for, fits);
    let found = web::block(search).await.map_err(Problem::no_thread)?;
    let id = |transfer: &Transfer| transfer.dispatched.id.0;
    Ok(page.answer_by_id(&req, &found, id, TransferView::from))
}

/// `GET /transfers/{id}`.
#[utoipa::path(
    get, path = "/transfers/{id}", tag = "transfers", summary = "One transfer",
    responses(One<TransferView<'static>>),
)]
pub(crate) async fn get(
    req: HttpRequest,
    state: Shared,
    id: Path<u64>,
) -> Result<HttpResponse, Problem> {
    let transfer = find(&state.engine, *id)?;
    Params::of(&req).finish()?;
    Ok(answer::seen(&req, transfer.version, Cached::Never, &TransferView::from(&transfer)))
}

/// `POST /transfers/{id}/receive`.
#[utoipa::path(
    post, path = "/transfers/{id}/receive", tag = "transfers", summary = "Puts what arrived into the stock",
    params(IfMatch), request_body = ReceiveBody,
    responses(Done<TransferView<'static>>, Conflict),
)]
pub(crate) async fn receive(
    req: HttpRequest,
    acting: Acting,
    id: Path<u64>,
    body: Input<ReceiveBody>,
) -> Result<HttpResponse, Problem> {
    let now = find(&acting, *id)?;
    let ReceiveBody { quantity, discrepancy, version } = body.valid()?;
    let discrepancy = discrepancy.map(|missing| (missing.quantity, missing.reason));
    let command = TransferCommand::Receive { quantity, discrepancy };
    change(&req, &acting, &now, version, command).await
}

/// `POST /transfers/{id}/cancel`.
#[utoipa::path(
    post, path = "/transfers/{id}/cancel", tag = "transfers", summary = "Gives up what is still on the road",
    params(IfMatch), request_body = CancelBody,
    responses(Done<TransferView<'static>>, Conflict),
)]
pub(crate) async fn cancel(
    req: HttpRequest,
    acting: Acting,
    id: Path<u64>,
    body: Input<CancelBody>,
) -> Result<HttpResponse, Problem> {
    let now = find(&acting, *id)?;
    let CancelBody { restock, reason, version } = body.valid()?;
    let command = TransferCommand::Cancel { restock: restock.unwrap_or(true), reason };
    change(&req, &acting, &now, version, command).await
}

async fn change(
    req: &HttpRequest,
    acting: &Acting,
    now: &Transfer,
    version: Option<u32>,
    command: TransferCommand,
) -> Result<HttpResponse, Problem> {
    let expected = Expected::of(req, version);
    let engine = acting.expecting(expected.version(now.version));
    let changed = engine.change_transfer(now.dispatched.id, command).await;
    let transfer = changed.map_err(|error| expected.explain(error, locating(plain)))?;
    Ok(done(req, &transfer))
}
