use actix_web::HttpResponse;
use serde::Serialize;
use stockade_domain::{ProductId, Quantity, ReservationId, WarehouseId, order::LineQuantity};

use super::body::PlaceOrderBody;
use utoipa::ToSchema;

use crate::{
    answer,
    caller::Caller,
    extract::Input,
    openapi::{
        answers::{Conflict, Done, Expired},
        kinds,
    },
    problem::Problem,
    refusals::locating,
    state::Shared,
    time::Time,
};

#[derive(Serialize, ToSchema)]
#[schema(
    as = Plan,
    examples(json!({"complete": true, "allocations": [{"product_id": 1, "warehouse_id": 1, "quantity": 2, "reservation_id": null}], "shortages": []}))
)]
pub(crate) struct PlanView {
    complete: bool,
    allocations: Vec<AllocationView>,
    shortages: Vec<ShortView>,
}

#[derive(Serialize, ToSchema)]
#[schema(
    as = PlannedStock,
    examples(json!({"product_id": 1, "warehouse_id": 1, "quantity": 2, "reservation_id": null}))
)]
struct AllocationView {
    #[schema(value_type = kinds::Id)]
    product_id: ProductId,
    #[schema(value_type = kinds::Id)]
    warehouse_id: WarehouseId,
    #[schema(value_type = kinds::Count)]
    quantity: Quantity,
    #[schema(value_type = Option<kinds::Id>)]
    reservation_id: Option<ReservationId>,
}

#[derive(Serialize, ToSchema)]
#[schema(
    as = PlannedShortage,
    examples(json!({"product_id": 1, "wanted": 4, "available": 1, "frees_at": null}))
)]
struct ShortView {
    #[schema(value_type = kinds::Id)]
    product_id: ProductId,
    #[schema(value_type = kinds::Count)]
    wanted: Quantity,
    #[schema(value_type = kinds::Count)]
    available: Quantity,
    frees_at: Option<Time>,
}

/// `POST /orders/plan`: which warehouse would give what. Nothing is reserved.
#[utoipa::path(
    post, path = "/orders/plan", tag = "orders",
    request_body = PlaceOrderBody,
    responses(Done<PlanView>, Conflict, Expired),
)]
pub(crate) async fn plan(
    state: Shared,
    caller: Caller,
    body: Input<PlaceOrderBody>,
) -> Result<HttpResponse, Problem> {
    let (request, names) = body.valid()?.alone()?.into_request(&state.engine, caller)?;
    let plan = state.engine.plan(&request).map_err(locating(|named| names.locate(named)))?;
    let products = distinct(&request.lines);
    let allocations = plan.allocations.iter().map(|allocation| AllocationView {
        product_id: products[allocation.line as usize],
        warehouse_id: allocation.warehouse,
        quantity: allocation.quantity,
        reservation_id: allocation.hold,
    });
    let shortages = plan.shortages.iter().map(|short| ShortView {
        product_id: short.product,
        wanted: short.wanted,
        available: short.available,
        frees_at: short.frees_at.map(Time),
    });
    Ok(answer::ok(&PlanView {
        complete: plan.shortages.is_empty(),
        allocations: allocations.collect(),
        shortages: shortages.collect(),
    }))
}

/// A plan has a line for each product, in the order in which they were first named.
fn distinct(lines: &[LineQuantity]) -> Vec<ProductId> {
    let mut seen = rustc_hash::FxHashSet::default();
    lines.iter().map(|line| line.product).filter(|product| seen.insert(*product)).collect()
}
