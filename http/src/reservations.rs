//! `/reservations`: units held for a while, without an order.

use actix_web::{HttpRequest, HttpResponse, web, web::Path};
use serde::{Deserialize, Serialize};
use stockade_actors::Engine;
use stockade_domain::{
    CustomerId, OrderId, ProductId, Quantity, ReservationId, ShopId, WarehouseId,
    holder::{Hold, HoldStatus, HolderKey, PlaceHold, Source},
    limits::{HOLD_TTL_MS_CUSTOMER_MAX, HOLD_TTL_MS_DEFAULT},
};
use utoipa::ToSchema;

use crate::{
    answer::{self, Cached},
    caller::Caller,
    command::Acting,
    etag::Expected,
    extract::Input,
    lines::{LineBody, Lines, LinesBody},
    openapi::{
        answers::{Conflict, Done, Expired, IfMatch, Made, Many, Nothing, One, Paging, TooMany},
        kinds,
    },
    page::Page,
    problem::Problem,
    query::Params,
    refusals::{Named, locating, plain},
    shops::{DEFAULT_SHOP, ms},
    state::Shared,
    time::Time,
};

#[derive(Serialize, ToSchema)]
#[schema(
    as = Reservation,
    examples(json!({"id": 1, "status": "active", "owner": "cart-17", "customer_id": null, "order_id": null, "lines": [{"product_id": 1, "quantity": 2, "held": 2}], "allocations": [{"product_id": 1, "warehouse_id": 1, "quantity": 2}], "shortfalls": [], "expires_at": "2026-01-31T12:00:00.000Z", "created_at": "2026-01-31T12:00:00.000Z", "updated_at": "2026-01-31T12:00:00.000Z", "version": 1}))
)]
pub(crate) struct HoldView<'a> {
    #[schema(value_type = kinds::Id)]
    id: ReservationId,
    #[schema(value_type = kinds::ReservationStatus)]
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, required = true)]
    owner: Option<Option<&'a str>>,
    #[schema(value_type = Option<kinds::Id>)]
    customer_id: Option<CustomerId>,
    #[schema(value_type = Option<kinds::Id>)]
    order_id: Option<OrderId>,
    lines: Vec<HeldLine>,
    allocations: Vec<AllocationView>,
    shortfalls: Vec<Shortfall>,
    expires_at: Time,
    created_at: Time,
    updated_at: Time,
    #[schema(value_type = kinds::Version)]
    version: u32,
}

#[derive(Serialize, ToSchema)]
#[schema(
    as = ReservedLine,
    examples(json!({"product_id": 1, "quantity": 2, "held": 2}))
)]
struct HeldLine {
    #[schema(value_type = kinds::Id)]
    product_id: ProductId,
    #[schema(value_type = kinds::Count)]
    quantity: Quantity,
    #[schema(value_type = kinds::Count)]
    held: Quantity,
}

#[derive(Serialize, ToSchema)]
#[schema(
    as = ReservedStock,
    examples(json!({"product_id": 1, "warehouse_id": 1, "quantity": 2}))
)]
struct AllocationView {
    #[schema(value_type = kinds::Id)]
    product_id: ProductId,
    #[schema(value_type = kinds::Id)]
    warehouse_id: WarehouseId,
    #[schema(value_type = kinds::Count)]
    quantity: Quantity,
}

#[derive(Serialize, ToSchema)]
#[schema(
    as = Shortfall,
    examples(json!({"product_id": 1, "quantity": 1}))
)]
struct Shortfall {
    #[schema(value_type = kinds::Id)]
    product_id: ProductId,
    #[schema(value_type = kinds::Count)]
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
            owner: Some(hold.owner.as_deref()),
            customer_id: match hold.key {
                HolderKey::Customer(customer) => Some(customer),
                HolderKey::Single(_) | HolderKey::Named(_) => None,
            },
            order_id: match hold.status {
                HoldStatus::Converted(order) => Some(order),
                _ => None,
            },
            // What a hold gave back when it ended is not what it came short of.
            shortfalls: match hold.status {
                HoldStatus::Active => lines().filter_map(short).collect(),
                _ => Vec::new(),
            },
            lines: lines().map(line).collect(),
            allocations,
            expires_at: Time(hold.expires_at),
            created_at: Time(hold.created_at),
            updated_at: Time(hold.updated_at),
            version: hold.version,
        }
    }
}

impl<'a> HoldView<'a> {
    /// As events tell it: without the caller's name for whom it is held.
    pub(crate) fn told(hold: &'a Hold) -> Self {
        Self { owner: None, ..Self::from(hold) }
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

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = NewReservation,
    examples(json!({"lines": [{"product_id": 1, "quantity": 2}], "ttl_seconds": 900, "owner": "cart-17"}))
)]
pub(crate) struct NewHoldBody {
    #[schema(value_type = Vec<LineBody>, min_items = 1, max_items = 2000)]
    lines: Option<Vec<LineBody>>,
    #[schema(value_type = kinds::Id)]
    product_id: Option<u64>,
    #[schema(value_type = kinds::Quantity)]
    quantity: Option<Quantity>,
    #[schema(value_type = Option<kinds::Id>)]
    shop_id: Option<u64>,
    #[schema(value_type = kinds::Id)]
    warehouse_id: Option<u64>,
    #[schema(value_type = Option<kinds::TimeToLive>)]
    ttl_seconds: Option<u64>,
    #[schema(value_type = Option<kinds::Text>)]
    owner: Option<String>,
    mode: Option<Mode>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(
    as = ReservationMode,
    examples(json!("partial"))
)]
enum Mode {
    All,
    Partial,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = ExtendReservation,
    examples(json!({"ttl_seconds": 900}))
)]
pub(crate) struct ExtendBody {
    #[schema(value_type = kinds::TimeToLive)]
    ttl_seconds: u64,
    #[schema(value_type = Option<kinds::Version>)]
    version: Option<u32>,
}

/// Whether a hold is a customer's.
pub(crate) fn is_of(hold: &Hold, customer: CustomerId) -> bool {
    hold.key == HolderKey::Customer(customer)
}

/// A hold that the caller may see. Of another's he learns no more than of one that never was.
fn find(engine: &Engine, caller: Caller, id: u64) -> Result<Hold, Problem> {
    let sees = |hold: &Hold| caller.customer().is_none_or(|customer| is_of(hold, customer));
    let hold = engine.reservation(ReservationId(id)).filter(sees);
    hold.ok_or_else(|| Problem::not_found("reservation", id))
}

/// How long it is to be held. Customers may not keep goods from each other for long.
fn ttl_ms(caller: Caller, seconds: u64) -> Result<u64, Problem> {
    let max = HOLD_TTL_MS_CUSTOMER_MAX / 1_000;
    match caller.is_staff() || (1..=max).contains(&seconds) {
        true => Ok(ms(seconds)),
        false => Err(Problem::field("/ttl_seconds", format!("must be from 1 to {max} seconds"))),
    }
}

impl NewHoldBody {
    fn into_request(self, caller: Caller) -> Result<(PlaceHold, Lines), Problem> {
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
        let ttl_ms = self.ttl_seconds.map(|seconds| ttl_ms(caller, seconds)).transpose()?;
        let ttl_ms = ttl_ms.unwrap_or(HOLD_TTL_MS_DEFAULT);
        let request = PlaceHold {
            source,
            owner: self.owner,
            scope: caller.scope(),
            customer: caller.customer(),
            lines: lines.quantities.clone(),
            ttl_ms,
            partial: self.mode == Some(Mode::Partial),
        };
        Ok((request, lines))
    }
}

/// `POST /reservations`.
#[utoipa::path(
    post, path = "/reservations", tag = "reservations", summary = "Holds units for a while",
    request_body = NewHoldBody,
    responses(Made<HoldView<'static>>, Conflict, TooMany),
)]
pub(crate) async fn create(
    req: HttpRequest,
    acting: Acting,
    caller: Caller,
    body: Input<NewHoldBody>,
) -> Result<HttpResponse, Problem> {
    let (request, lines) = body.valid()?.into_request(caller)?;
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
#[utoipa::path(
    get, path = "/reservations", tag = "reservations", summary = "A page of reservations",
    params(
        Paging,
        ("product_id" = kinds::Id, Query, description = "Of this product."),
        ("warehouse_id" = kinds::Id, Query, description = "With units of this warehouse."),
        ("owner" = String, Query, description = "Of this owner."),
        ("status" = kinds::ReservationStatus, Query, description = "In this state."),
    ),
    responses(Many<HoldView<'static>>),
)]
pub(crate) async fn list(
    req: HttpRequest,
    state: Shared,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
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
        caller.customer().is_none_or(|customer| is_of(hold, customer))
            && product.is_none_or(|product| hold.lines.iter().any(|line| line.0 == product))
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
#[utoipa::path(
    get, path = "/reservations/{id}", tag = "reservations", summary = "One reservation",
    responses(One<HoldView<'static>>),
)]
pub(crate) async fn get(
    req: HttpRequest,
    state: Shared,
    caller: Caller,
    id: Path<u64>,
) -> Result<HttpResponse, Problem> {
    let hold = find(&state.engine, caller, *id)?;
    Params::of(&req).finish()?;
    Ok(answer::seen(&req, hold.version, Cached::Never, &HoldView::from(&hold)))
}

/// `POST /reservations/{id}/extend`.
#[utoipa::path(
    post, path = "/reservations/{id}/extend", tag = "reservations", summary = "Holds the units for longer, from now",
    params(IfMatch), request_body = ExtendBody,
    responses(Done<HoldView<'static>>, Conflict, Expired),
)]
pub(crate) async fn extend(
    req: HttpRequest,
    acting: Acting,
    caller: Caller,
    id: Path<u64>,
    body: Input<ExtendBody>,
) -> Result<HttpResponse, Problem> {
    let now = find(&acting, caller, *id)?;
    let ExtendBody { ttl_seconds, version } = body.valid()?;
    let expected = Expected::of(&req, version);
    let engine = acting.expecting(expected.version(now.version));
    let extended = engine.extend_reservation(now.id, ttl_ms(caller, ttl_seconds)?).await;
    let hold = extended.map_err(|error| expected.explain(error, locating(plain)))?;
    Ok(done(&req, &hold))
}

/// `DELETE /reservations/{id}`.
#[utoipa::path(
    delete,
    path = "/reservations/{id}",
    tag = "reservations",
    summary = "Gives the units back",
    params(IfMatch),
    responses(Nothing, Conflict, Expired)
)]
pub(crate) async fn release(
    req: HttpRequest,
    acting: Acting,
    caller: Caller,
    id: Path<u64>,
) -> Result<HttpResponse, Problem> {
    let now = find(&acting, caller, *id)?;
    Params::of(&req).finish()?;
    let expected = Expected::of(&req, None);
    let engine = acting.expecting(expected.version(now.version));
    let released = engine.release_reservation(now.id).await;
    released.map_err(|error| expected.explain(error, Problem::from))?;
    Ok(answer::nothing())
}
