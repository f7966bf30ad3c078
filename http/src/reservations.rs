//! `/reservations`: units held for a while, without an order.

use actix_web::{HttpRequest, HttpResponse, web, web::Path};
use serde::{Deserialize, Serialize};
use stockade_actors::Engine;
use stockade_domain::{
    CustomerId, OrderId, ProductId, Quantity, ReservationId, ShopId, WarehouseId,
    holder::{Hold, HoldStatus, HolderKey, PlaceHold, Source},
    limits::HOLD_TTL_MS_DEFAULT,
};

use crate::{
    answer::{self, Cached},
    command::Acting,
    etag::Expected,
    extract::Input,
    lines::{LineBody, Lines, LinesBody},
    page::Page,
    problem::Problem,
    query::Params,
    refusals::{Named, locating, plain},
    shops::{DEFAULT_SHOP, ms},
    state::Shared,
    time::Time,
};

#[derive(Serialize)]
struct HoldView<'a> {
    id: ReservationId,
    status: &'static str,
    owner: Option<&'a str>,
    customer_id: Option<CustomerId>,
    order_id: Option<OrderId>,
    lines: Vec<HeldLine>,
    allocations: Vec<AllocationView>,
    shortfalls: Vec<Shortfall>,
    expires_at: Time,
    created_at: Time,
    updated_at: Time,
    version: u32,
}

#[derive(Serialize)]
struct HeldLine {
    product_id: ProductId,
    quantity: Quantity,
    held: Quantity,
}

#[derive(Serialize)]
struct AllocationView {
    product_id: ProductId,
    warehouse_id: WarehouseId,
    quantity: Quantity,
}

#[derive(Serialize)]
struct Shortfall {
    product_id: ProductId,
    quantity: Quantity,
}

impl<'a> From<&'a Hold> for HoldView<'a> {
    fn from(hold: &'a Hold) -> Self {
        let mut held = vec![0; hold.lines.len()];
        let mut allocations: Vec<AllocationView> = Vec::with_capacity(hold.allocations.len());
        for allocation in &hold.allocations {
            let line = allocation.line as usize;
            let (product_id, warehouse_id) = (hold.lines[line].0, allocation.warehouse);
            let quantity = allocation.quantity;
            held[line] += quantity;
            // Units that came from several holds are one allocation for whoever reads.
            let mut same = allocations.iter_mut().rev().take_while(|a| a.product_id == product_id);
            match same.find(|known| known.warehouse_id == warehouse_id) {
                Some(known) => known.quantity += quantity,
                None => allocations.push(AllocationView { product_id, warehouse_id, quantity }),
            }
        }
        let lines = || hold.lines.iter().zip(&held);
        let short = |(&(product_id, wanted), &held): (&(ProductId, Quantity), &Quantity)| {
            (held < wanted).then(|| Shortfall { product_id, quantity: wanted - held })
        };
        let line = |(&(product_id, quantity), &held): (&(ProductId, Quantity), &Quantity)| {
            HeldLine { product_id, quantity, held }
        };
        Self {
            id: hold.id,
            status: name(hold.status),
            owner: hold.owner.as_deref(),
            customer_id: match hold.key {
                HolderKey::Customer(customer) => Some(customer),
                HolderKey::Single(_) | HolderKey::Named(_) => None,
            },
            order_id: match hold.status {
                HoldStatus::Converted(order) => Some(order),
                _ => None,
            },
            shortfalls: lines().filter_map(short).collect(),
            lines: lines().map(line).collect(),
            allocations,
            expires_at: Time(hold.expires_at),
            created_at: Time(hold.created_at),
            updated_at: Time(hold.updated_at),
            version: hold.version,
        }
    }
}

fn name(status: HoldStatus) -> &'static str {
    match status {
        HoldStatus::Active => "active",
        HoldStatus::Released => "released",
        HoldStatus::Expired => "expired",
        HoldStatus::Converted(_) => "converted",
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewHoldBody {
    lines: Option<Vec<LineBody>>,
    product_id: Option<u64>,
    quantity: Option<Quantity>,
    shop_id: Option<u64>,
    warehouse_id: Option<u64>,
    ttl_seconds: Option<u64>,
    owner: Option<String>,
    mode: Option<Mode>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    All,
    Partial,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExtendBody {
    ttl_seconds: u64,
    version: Option<u32>,
}

fn find(engine: &Engine, id: u64) -> Result<Hold, Problem> {
    engine.reservation(ReservationId(id)).ok_or_else(|| Problem::not_found("reservation", id))
}

impl NewHoldBody {
    fn into_request(self) -> Result<(PlaceHold, Lines), Problem> {
        let source = match (self.shop_id, self.warehouse_id) {
            (Some(_), Some(_)) => {
                return Err(Problem::field("/warehouse_id", "cannot stand beside shop_id"));
            }
            (None, Some(warehouse)) => Source::Warehouse(WarehouseId(warehouse)),
            (shop, None) => Source::Shop(shop.map_or(DEFAULT_SHOP, ShopId)),
        };
        let spellings = LinesBody {
            lines: self.lines,
            products: None,
            product_id: self.product_id,
            quantity: self.quantity,
        };
        let lines = spellings.read()?;
        let request = PlaceHold {
            source,
            owner: self.owner,
            customer: None,
            lines: lines.quantities.clone(),
            ttl_ms: self.ttl_seconds.map_or(HOLD_TTL_MS_DEFAULT, ms),
            partial: self.mode == Some(Mode::Partial),
        };
        Ok((request, lines))
    }
}

/// `POST /reservations`.
pub(crate) async fn create(
    req: HttpRequest,
    acting: Acting,
    body: Input<NewHoldBody>,
) -> Result<HttpResponse, Problem> {
    let (request, lines) = body.valid()?.into_request()?;
    let locate = |named: Named<'_>| match named {
        Named::Thing("shop", _) => Some("/shop_id".to_owned()),
        Named::Thing("warehouse", _) => Some("/warehouse_id".to_owned()),
        named => lines.locate(named),
    };
    let hold = acting.reserve(request).await.map_err(locating(locate))?;
    Ok(done(&req, &hold))
}

/// The answer to a command about a reservation.
pub(crate) fn done(req: &HttpRequest, hold: &Hold) -> HttpResponse {
    answer::done(req, format_args!("/reservations/{}", hold.id), &HoldView::from(hold))
}

/// `GET /reservations`.
pub(crate) async fn list(req: HttpRequest, state: Shared) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&req);
    let page = Page::of(&req, &mut params);
    let after = page.after_id(&mut params);
    let product = params.id("product_id").map(ProductId);
    let warehouse = params.id("warehouse_id").map(WarehouseId);
    let owner = params.one("owner");
    let status = params.read("status", "active, released, expired or converted", |text| {
        ["active", "released", "expired", "converted"].into_iter().find(|status| *status == text)
    });
    params.finish()?;
    let fits = move |hold: &Hold| {
        product.is_none_or(|product| hold.lines.iter().any(|line| line.0 == product))
            && warehouse.is_none_or(|place| hold.allocations.iter().any(|a| a.warehouse == place))
            && owner.as_deref().is_none_or(|owner| hold.owner.as_deref() == Some(owner))
            && status.is_none_or(|status| name(hold.status) == status)
    };
    let (engine, look_for) = (state.engine.clone(), page.look_for());
    let search = move || engine.reservations(after, look_for, fits);
    let found = web::block(search).await.map_err(Problem::no_thread)?;
    Ok(page.answer_by_id(&req, &found, |hold| hold.id.0, HoldView::from))
}

/// `GET /reservations/{id}`.
pub(crate) async fn get(
    req: HttpRequest,
    state: Shared,
    id: Path<u64>,
) -> Result<HttpResponse, Problem> {
    let hold = find(&state.engine, *id)?;
    Params::of(&req).finish()?;
    Ok(answer::seen(&req, hold.version, Cached::Never, &HoldView::from(&hold)))
}

/// `POST /reservations/{id}/extend`.
pub(crate) async fn extend(
    req: HttpRequest,
    acting: Acting,
    id: Path<u64>,
    body: Input<ExtendBody>,
) -> Result<HttpResponse, Problem> {
    let now = find(&acting, *id)?;
    let ExtendBody { ttl_seconds, version } = body.valid()?;
    let expected = Expected::of(&req, version);
    let engine = acting.expecting(expected.check(now.version)?);
    let extended = engine.extend_reservation(now.id, ms(ttl_seconds)).await;
    let hold = extended.map_err(|error| expected.explain(error, locating(plain)))?;
    Ok(done(&req, &hold))
}

/// `DELETE /reservations/{id}`.
pub(crate) async fn release(
    req: HttpRequest,
    acting: Acting,
    id: Path<u64>,
) -> Result<HttpResponse, Problem> {
    let now = find(&acting, *id)?;
    Params::of(&req).finish()?;
    let expected = Expected::of(&req, None);
    let engine = acting.expecting(expected.check(now.version)?);
    let released = engine.release_reservation(now.id).await;
    released.map_err(|error| expected.explain(error, Problem::from))?;
    Ok(answer::nothing())
}
