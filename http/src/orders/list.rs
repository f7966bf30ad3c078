use actix_web::{HttpRequest, HttpResponse, web};
use stockade_actors::{Engine, OrderFilter};
use stockade_domain::{
    CustomerId, OrderId, ProductId, ShopId,
    order::{Order, Status},
};

use serde_json::json;
use utoipa::{
    IntoParams,
    openapi::path::{Parameter, ParameterIn},
};

use super::view::OrderView;
use crate::{
    caller::Caller,
    openapi::{
        answers::{Many, Paging, parameters},
        kinds,
    },
    page::{Page, Top},
    problem::Problem,
    query::Params,
    state::Shared,
};

/// Orders that are read at a time while a list is sorted.
const CHUNK: usize = 512;

/// When it was placed, and its id to break ties.
pub(super) type Rank = (u64, u64);

/// What a list is sorted by, and whether it descends.
pub(super) type Sorted = (Sort, bool);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Id,
    PlacedAt,
}

/// The parameters of every list of orders: which, and in what order.
pub(super) struct Filters;

impl IntoParams for Filters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        parameters(json!([
            {"name": "customer_id", "in": "query", "required": false, "description": "Of this customer.", "schema": {"$ref": "#/components/schemas/Id"}},
            {"name": "shop_id", "in": "query", "required": false, "description": "Of this shop.", "schema": {"$ref": "#/components/schemas/Id"}},
            {"name": "product_id", "in": "query", "required": false, "description": "With this product.", "schema": {"$ref": "#/components/schemas/Id"}},
            {"name": "status", "in": "query", "required": false, "description": "In this state.", "schema": {"$ref": "#/components/schemas/OrderStatus"}},
            {"name": "reference", "in": "query", "required": false, "description": "With this reference.", "schema": {"type": "string"}},
            {"name": "placed_after", "in": "query", "required": false, "description": "Placed after this moment.", "schema": {"$ref": "#/components/schemas/Time"}},
            {"name": "placed_before", "in": "query", "required": false, "description": "Placed before this moment.", "schema": {"$ref": "#/components/schemas/Time"}},
            {"name": "updated_after", "in": "query", "required": false, "description": "Changed after this moment.", "schema": {"$ref": "#/components/schemas/Time"}},
            {"name": "sort", "in": "query", "required": false, "description": "`id` unless said otherwise; `-` in front turns it round.", "schema": {"$ref": "#/components/schemas/OrderSort"}},
        ]))
    }
}

/// `GET /orders`.
#[utoipa::path(
    get, path = "/orders", tag = "orders", summary = "A page of orders",
    params(
        Paging,
        ("ids" = kinds::Ids, Query, description = "Just these: all of them are one page unless `limit` says otherwise."),
        Filters,
    ),
    responses(Many<OrderView<'static>>),
)]
pub(crate) async fn list(
    req: HttpRequest,
    state: Shared,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&req);
    let engine = &state.engine;
    let (page, ids) = Page::with_ids(&req, &mut params);
    let after = page.after(&mut params, read_rank);
    let (sort, descending) = sort(&mut params);
    let mut filter = filter(&mut params);
    filter.ids = ids.map(|ids| ids.into_iter().map(OrderId).collect());
    params.finish()?;
    filter.customer = caller.customer_named(filter.customer)?;
    let look_for = page.look_for();
    let found = if (sort, descending) == (Sort::Id, false) && filter == OrderFilter::default() {
        engine.orders(&filter, after.map_or(0, |(_, id)| id), look_for)
    } else {
        let engine = engine.clone();
        let search = move || search(&engine, &filter, (sort, descending), after, look_for);
        web::block(search).await.map_err(Problem::no_thread)?
    };
    let position = |order: &Order| write_rank(sort.rank(order));
    Ok(page.answer(&req, &found, position, |order| OrderView::of(engine, order)))
}

/// The first orders that fit, behind `after`.
pub(super) fn search(
    engine: &Engine,
    filter: &OrderFilter,
    (sort, descending): Sorted,
    after: Option<Rank>,
    look_for: usize,
) -> Vec<Order> {
    if (sort, descending) == (Sort::Id, false) {
        return engine.orders(filter, after.map_or(0, |(_, id)| id), look_for);
    }
    let mut top = Top::new(look_for, descending, after);
    let mut last = 0;
    loop {
        let chunk = engine.orders(filter, last, CHUNK);
        let Some(newest) = chunk.last() else { break };
        last = newest.id().0;
        chunk.into_iter().for_each(|order| top.offer(sort.rank(&order), order));
    }
    top.into_rows().into_iter().map(|(_, order)| order).collect()
}

impl Sort {
    pub(super) fn rank(self, order: &Order) -> Rank {
        match self {
            Self::Id => (0, order.id().0),
            Self::PlacedAt => (order.placed.at.0, order.id().0),
        }
    }
}

pub(super) fn write_rank((key, id): Rank) -> Vec<u8> {
    [key.to_be_bytes(), id.to_be_bytes()].concat()
}

pub(super) fn read_rank(bytes: &[u8]) -> Option<Rank> {
    let (key, id) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*key), u64::from_be_bytes(id.try_into().ok()?)))
}

pub(super) fn sort(params: &mut Params) -> Sorted {
    let sort = params.read("sort", "id or placed_at, perhaps with - in front", |text| match text {
        "id" => Some((Sort::Id, false)),
        "-id" => Some((Sort::Id, true)),
        "placed_at" => Some((Sort::PlacedAt, false)),
        "-placed_at" => Some((Sort::PlacedAt, true)),
        _ => None,
    });
    sort.unwrap_or((Sort::Id, false))
}

pub(super) fn filter(params: &mut Params) -> OrderFilter {
    OrderFilter {
        ids: None,
        customer: params.id("customer_id").map(CustomerId),
        shop: params.id("shop_id").map(ShopId),
        product: params.id("product_id").map(ProductId),
        status: params.read("status", "the name of a status", status),
        reference: params.one("reference"),
        placed_after: params.moment("placed_after"),
        placed_before: params.moment("placed_before"),
        updated_after: params.moment("updated_after"),
    }
}

/// The status of this name.
pub(super) fn status(name: &str) -> Option<Status> {
    [
        Status::PendingPayment,
        Status::Paid,
        Status::PartiallyShipped,
        Status::Shipped,
        Status::Delivered,
        Status::Cancelled,
        Status::Expired,
        Status::Returned,
    ]
    .into_iter()
    .find(|status| status.name() == name)
}
