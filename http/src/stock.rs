//! `/stock` and `/warehouses/{id}/stock/{product_id}`: what is where.

mod explain;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};
use stockade_actors::{Engine, Error, StockFilter, StockRow};
use stockade_domain::{ProductId, Quantity, Refusal, StockKey, WarehouseId, stock::StockCommand};
use utoipa::ToSchema;

use crate::{
    answer::{self, Cached},
    as_of::AsOf,
    command::Acting,
    etag::Expected,
    extract::Input,
    fields::{ReadOnly, not_null, unchanged},
    openapi::{
        answers::{Changed, Conflict, IfMatch, Many, One, Paging},
        kinds,
    },
    page::Page,
    problem::{Code, Problem},
    query::Params,
    refusals::locating,
    replay,
    state::Shared,
};
use explain::in_the_way;
pub(crate) use explain::{__path_explain, Explanation, LiveView, explain};

#[derive(Serialize, ToSchema)]
#[schema(
    as = StockRow,
    examples(json!({"product_id": 1, "warehouse_id": 1, "on_hand": 40, "reserved": 3, "safety_stock": 0, "incoming": 0, "backorder_limit": 0, "available": 37, "version": 2}))
)]
pub(crate) struct RowView {
    #[schema(value_type = kinds::Id)]
    product_id: ProductId,
    #[schema(value_type = kinds::Id)]
    warehouse_id: WarehouseId,
    #[schema(value_type = kinds::Count)]
    on_hand: Quantity,
    #[schema(value_type = kinds::Count)]
    reserved: Quantity,
    #[schema(value_type = kinds::Count)]
    safety_stock: Quantity,
    #[schema(value_type = kinds::Count)]
    incoming: Quantity,
    #[schema(value_type = kinds::Count)]
    backorder_limit: Quantity,
    #[schema(value_type = kinds::Count)]
    available: Quantity,
    #[schema(value_type = kinds::Version)]
    version: u32,
}

impl From<&StockRow> for RowView {
    fn from(row: &StockRow) -> Self {
        Self {
            product_id: row.key.product,
            warehouse_id: row.key.warehouse,
            on_hand: row.on_hand,
            reserved: row.reserved,
            safety_stock: row.safety_stock,
            incoming: row.incoming,
            backorder_limit: row.backorder_limit,
            available: row.available,
            version: row.version,
        }
    }
}

/// `PUT`: what was counted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = Recount,
    examples(json!({"on_hand": 38, "reason": "yearly count"}))
)]
pub(crate) struct RecountBody {
    #[schema(value_type = kinds::OnHand)]
    on_hand: Quantity,
    #[schema(value_type = kinds::Text)]
    reason: String,
    #[schema(value_type = Option<kinds::Version>)]
    version: Option<u32>,
    /// As it is; `PATCH` changes it.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = kinds::Units)]
    safety_stock: Option<Quantity>,
    /// As it is; `PATCH` changes it.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = kinds::Units)]
    backorder_limit: Option<Quantity>,
    #[serde(rename = "product_id", default)]
    _product_id: ReadOnly,
    #[serde(rename = "warehouse_id", default)]
    _warehouse_id: ReadOnly,
    #[serde(rename = "reserved", default)]
    _reserved: ReadOnly,
    #[serde(rename = "incoming", default)]
    _incoming: ReadOnly,
    #[serde(rename = "available", default)]
    _available: ReadOnly,
}

/// `PATCH`: the rule by which it is promised.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = StockPolicy,
    examples(json!({"safety_stock": 2}))
)]
pub(crate) struct PolicyBody {
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = kinds::Units)]
    safety_stock: Option<Quantity>,
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = kinds::Units)]
    backorder_limit: Option<Quantity>,
    #[schema(value_type = Option<kinds::Version>)]
    version: Option<u32>,
    /// As it is; `PUT` changes it.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = kinds::OnHand)]
    on_hand: Option<Quantity>,
    #[serde(rename = "product_id", default)]
    _product_id: ReadOnly,
    #[serde(rename = "warehouse_id", default)]
    _warehouse_id: ReadOnly,
    #[serde(rename = "reserved", default)]
    _reserved: ReadOnly,
    #[serde(rename = "incoming", default)]
    _incoming: ReadOnly,
    #[serde(rename = "available", default)]
    _available: ReadOnly,
}

/// Warehouse and product of the path.
type Place = web::Path<(u64, u64)>;

fn find(engine: &Engine, place: &Place) -> Result<StockKey, Problem> {
    let (warehouse, product) = (WarehouseId(place.0), ProductId(place.1));
    let catalogue = engine.catalogue();
    if catalogue.warehouse(warehouse).is_err() {
        return Err(Problem::not_found("warehouse", warehouse.0));
    }
    if catalogue.product(product).is_none() {
        return Err(Problem::not_found("product", product.0));
    }
    Ok(StockKey::new(warehouse, product))
}

/// 404: one of its two is younger.
fn there_was_no(key: StockKey) -> Problem {
    let StockKey { product, warehouse } = key;
    let detail = format!("there was no product {product}, or no warehouse {warehouse}, then");
    Problem::new(StatusCode::NOT_FOUND, Code::NotFound, detail)
}

/// `GET /stock`.
#[utoipa::path(
    get, path = "/stock", tag = "stock", summary = "A page of stock rows, by product and warehouse",
    params(
        Paging,
        ("product_id" = kinds::Id, Query, description = "Of this product."),
        ("warehouse_id" = kinds::Id, Query, description = "In this warehouse."),
        ("below" = kinds::Bound, Query, description = "With less than this available."),
    ),
    responses(Many<RowView>),
)]
pub(crate) async fn list(req: HttpRequest, state: Shared) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&req);
    let page = Page::of(&req, &mut params);
    let after = page.after(&mut params, |bytes| {
        let (product, warehouse) = bytes.split_first_chunk::<8>()?;
        let warehouse = u64::from_be_bytes(warehouse.try_into().ok()?);
        Some(StockKey::new(WarehouseId(warehouse), ProductId(u64::from_be_bytes(*product))))
    });
    let filter = StockFilter {
        product: params.id("product_id").map(ProductId),
        warehouse: params.id("warehouse_id").map(WarehouseId),
        below: params.count("below"),
    };
    params.finish()?;
    let (engine, look_for) = (state.engine.clone(), page.look_for());
    let search = move || engine.stocks(filter, after, look_for);
    // A filter may look at every stock before it has found a page.
    let rows = match filter.warehouse.is_some() || filter.below.is_some() {
        true => web::block(search).await.map_err(Problem::no_thread)?,
        false => search(),
    };
    let position = |row: &StockRow| {
        let StockKey { product, warehouse } = row.key;
        [product.0.to_be_bytes(), warehouse.0.to_be_bytes()].concat()
    };
    Ok(page.answer(&req, &rows, position, RowView::from))
}

/// `GET /warehouses/{id}/stock/{product_id}`: as it is, or as it was.
#[utoipa::path(
    get, path = "/warehouses/{id}/stock/{product_id}", tag = "stock", summary = "The stock of one product in one warehouse, as it is or as it was",
    params(("as_of" = kinds::AsOf, Query, description = "As it was then, at this moment or after this event.")),
    responses(One<RowView>),
)]
pub(crate) async fn get(
    req: HttpRequest,
    state: Shared,
    place: Place,
) -> Result<HttpResponse, Problem> {
    let key = find(&state.engine, &place)?;
    let mut params = Params::of(&req);
    let as_of = AsOf::take(&state.engine, &mut params);
    params.finish()?;
    let row = match as_of {
        None => state.engine.stock(key),
        Some(as_of) => {
            let at = as_of.position(&state.engine).await?;
            state.engine.stock_as_of(key, at).ok_or_else(|| there_was_no(key))?
        }
    };
    Ok(answer::seen(&req, row.version, Cached::Never, &RowView::from(&row)))
}

/// `PUT /warehouses/{id}/stock/{product_id}`: a recount.
#[utoipa::path(
    put, path = "/warehouses/{id}/stock/{product_id}", tag = "stock", summary = "Says what was counted",
    params(IfMatch), request_body = RecountBody,
    responses(Changed<RowView>, Conflict),
)]
pub(crate) async fn recount(
    req: HttpRequest,
    acting: Acting,
    place: Place,
    body: Input<RecountBody>,
) -> Result<HttpResponse, Problem> {
    let key = find(&acting, &place)?;
    let RecountBody { on_hand, reason, version, safety_stock, backorder_limit, .. } =
        body.valid()?;
    let now = acting.stock(key);
    unchanged("safety_stock", safety_stock, &now.safety_stock, "PATCH")?;
    unchanged("backorder_limit", backorder_limit, &now.backorder_limit, "PATCH")?;
    let expected = Expected::of(&req, version);
    let command = StockCommand::Recount { on_hand, reason };
    change(&req, &acting, key, &expected, command, "/on_hand").await
}

/// `PATCH /warehouses/{id}/stock/{product_id}`: the policy.
#[utoipa::path(
    patch, path = "/warehouses/{id}/stock/{product_id}", tag = "stock", summary = "Says how much of the stock is promised",
    params(IfMatch), request_body = PolicyBody,
    responses(Changed<RowView>, Conflict),
)]
pub(crate) async fn set_policy(
    req: HttpRequest,
    acting: Acting,
    place: Place,
    body: Input<PolicyBody>,
) -> Result<HttpResponse, Problem> {
    let key = find(&acting, &place)?;
    let PolicyBody { safety_stock, backorder_limit, version, on_hand, .. } = body.valid()?;
    unchanged("on_hand", on_hand, &acting.stock(key).on_hand, "PUT")?;
    let expected = Expected::of(&req, version);
    let command = StockCommand::SetPolicy { safety_stock, backorder_limit };
    // Only a lower limit can be below what it promised.
    change(&req, &acting, key, &expected, command, "/backorder_limit").await
}

/// Changes a stock. `limits` is the field that may leave too little for what is reserved.
async fn change(
    req: &HttpRequest,
    acting: &Acting,
    key: StockKey,
    expected: &Expected,
    command: StockCommand,
    limits: &'static str,
) -> Result<HttpResponse, Problem> {
    let engine = acting.expecting(expected.version(acting.stock(key).version));
    let explain = |error: Error| match error {
        Error::Refused(Refusal::InsufficientStock(_)) => {
            locating(|_| Some(limits.to_owned()))(error).with_reservations(in_the_way(acting, key))
        }
        error => locating(crate::refusals::plain)(error),
    };
    let changed = engine.change_stock(key, command).await;
    let row = changed.map_err(|error| expected.explain(error, explain))?;
    match acting.done_at() {
        // What a retry will be told: its warehouse's status is that of the decision, too.
        Some(at) => replay::answer(req, at).await,
        None => Ok(show(&row)),
    }
}

/// The answer to a command about a stock that came to this.
pub(crate) fn show(row: &StockRow) -> HttpResponse {
    answer::tagged(StatusCode::OK, row.version, &RowView::from(row))
}
