//! `/transfers`: stock on its way from one warehouse to another.

use actix_web::{HttpRequest, HttpResponse, web, web::Path};
use serde::{Deserialize, Serialize};
use stockade_actors::{Engine, NewTransfer};
use stockade_domain::{
    ProductId, Quantity, TransferId, WarehouseId,
    transfer::{Transfer, TransferCommand, TransferStatus},
};

use crate::{
    answer::{self, Cached},
    command::Acting,
    etag::Expected,
    extract::Input,
    page::Page,
    problem::Problem,
    query::Params,
    refusals::{Named, locating, plain},
    state::Shared,
    time::Time,
};

/// A transfer, as clients read it.
#[derive(Serialize)]
pub(crate) struct TransferView {
    id: TransferId,
    status: &'static str,
    product_id: ProductId,
    from_warehouse_id: WarehouseId,
    to_warehouse_id: WarehouseId,
    quantity: Quantity,
    in_transit: Quantity,
    received: Quantity,
    missing: Quantity,
    restocked: Quantity,
    created_at: Time,
    updated_at: Time,
    version: u32,
}

impl From<&Transfer> for TransferView {
    fn from(transfer: &Transfer) -> Self {
        let dispatched = &transfer.dispatched;
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

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTransferBody {
    product_id: u64,
    from_warehouse_id: u64,
    to_warehouse_id: u64,
    quantity: Quantity,
    in_transit: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReceiveBody {
    quantity: Option<Quantity>,
    discrepancy: Option<DiscrepancyBody>,
    version: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DiscrepancyBody {
    quantity: Quantity,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CancelBody {
    restock: Option<bool>,
    reason: Option<String>,
    version: Option<u32>,
}

fn find(engine: &Engine, id: u64) -> Result<Transfer, Problem> {
    engine.transfer_of(TransferId(id)).ok_or_else(|| Problem::not_found("transfer", id))
}

/// `POST /warehouses/transfer`.
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
    let engine = acting.expecting(expected.check(now.version)?);
    let changed = engine.change_transfer(now.dispatched.id, command).await;
    let transfer = changed.map_err(|error| expected.explain(error, locating(plain)))?;
    Ok(done(req, &transfer))
}
