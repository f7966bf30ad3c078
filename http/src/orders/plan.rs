use actix_web::HttpResponse;
use serde::Serialize;
use stockade_domain::{ProductId, Quantity, ReservationId, WarehouseId, order::LineQuantity};

use super::body::PlaceOrderBody;
use crate::{
    answer, extract::Input, problem::Problem, refusals::locating, state::Shared, time::Time,
};

#[derive(Serialize)]
struct PlanView {
    complete: bool,
    allocations: Vec<AllocationView>,
    shortages: Vec<ShortView>,
}

#[derive(Serialize)]
struct AllocationView {
    product_id: ProductId,
    warehouse_id: WarehouseId,
    quantity: Quantity,
    reservation_id: Option<ReservationId>,
}

#[derive(Serialize)]
struct ShortView {
    product_id: ProductId,
    wanted: Quantity,
    available: Quantity,
    frees_at: Option<Time>,
}

/// `POST /orders/plan`: which warehouse would give what. Nothing is reserved.
pub(crate) async fn plan(
    state: Shared,
    body: Input<PlaceOrderBody>,
) -> Result<HttpResponse, Problem> {
    let (request, names) = body.valid()?.alone()?.into_request()?;
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
