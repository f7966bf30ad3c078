use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use stockade_actors::{Engine, LiveReservation, Reserved, StockChange};
use stockade_domain::{
    AdjustmentId, Owner, OwnerKind, Quantity, Sequence, StockKey, Timestamp,
    adjustment::AdjustmentEvent, stock::StockEvent,
};

use utoipa::ToSchema;

use super::{Place, RowView, find};
use crate::{
    answer,
    events::{OwnerView, changes, owner},
    openapi::{
        answers::{Done, Paging},
        kinds,
    },
    page::{self, Page},
    problem::Problem,
    query::Params,
    state::Shared,
    time::Time,
};

/// Reservations that are listed: the newest. A hot stock has far more, and their sum is what counts.
const LIVE_MAX: usize = 1_000;

/// The same, in a refusal.
const LIVE_REFUSED_MAX: usize = 100;

/// Why a stock has what it has.
#[derive(Serialize, ToSchema)]
#[schema(
    as = StockExplanation,
    examples(json!({"stock": {"product_id": 1, "warehouse_id": 1, "on_hand": 40, "reserved": 3, "safety_stock": 0, "incoming": 0, "backorder_limit": 0, "available": 37, "version": 2}, "events": [{"position": "42", "time": "2026-01-31T12:00:00.000Z", "type": "stock.adjusted", "change": -3, "owner": {"kind": "adjustment", "id": 1}, "reason": "damaged"}], "next_cursor": null, "reservations": [{"owner": {"kind": "order", "id": 1}, "quantity": 3, "since": "2026-01-31T12:00:00.000Z", "expires_at": "2026-01-31T12:30:00.000Z"}], "reservation_count": 1, "frees_next": [{"at": "2026-01-31T12:30:00.000Z", "quantity": 3}]}))
)]
pub(crate) struct Explanation {
    stock: RowView,
    /// What changed on hand, oldest first.
    events: Vec<Change>,
    /// Where the events go on.
    next_cursor: Option<String>,
    /// The newest of those that have the reserved units.
    reservations: Vec<LiveView>,
    reservation_count: usize,
    frees_next: Vec<FreesView>,
}

/// One change of what is on hand.
#[derive(Serialize, ToSchema)]
#[schema(
    as = StockChange,
    examples(json!({"position": "42", "time": "2026-01-31T12:00:00.000Z", "type": "stock.adjusted", "change": -3, "owner": {"kind": "adjustment", "id": 1}, "reason": "damaged"}))
)]
struct Change {
    #[schema(value_type = kinds::Position)]
    position: String,
    time: Time,
    #[serde(rename = "type")]
    #[schema(value_type = kinds::EventType)]
    kind: &'static str,
    change: i64,
    owner: Option<OwnerView>,
    reason: Option<String>,
}

/// Who has reserved units, how many, and until when.
#[derive(Debug, Serialize, ToSchema)]
#[schema(
    as = LiveReservation,
    examples(json!({"owner": {"kind": "order", "id": 1}, "quantity": 3, "since": "2026-01-31T12:00:00.000Z", "expires_at": "2026-01-31T12:30:00.000Z"}))
)]
pub(crate) struct LiveView {
    owner: OwnerView,
    #[schema(value_type = kinds::Count)]
    quantity: Quantity,
    since: Option<Time>,
    expires_at: Option<Time>,
}

#[derive(Serialize, ToSchema)]
#[schema(
    as = StockFreeing,
    examples(json!({"at": "2026-01-31T12:30:00.000Z", "quantity": 3}))
)]
struct FreesView {
    at: Time,
    #[schema(value_type = kinds::Count)]
    quantity: Quantity,
}

impl From<&LiveReservation> for LiveView {
    fn from(live: &LiveReservation) -> Self {
        Self {
            owner: live.owner.into(),
            quantity: live.quantity,
            since: live.since.map(Time),
            expires_at: live.expires_at.map(Time),
        }
    }
}

/// The newest reservations of a stock, for whoever is refused because of them.
pub(crate) fn in_the_way(engine: &Engine, key: StockKey) -> Vec<LiveView> {
    engine.reserved(key, LIVE_REFUSED_MAX).newest.iter().map(Into::into).collect()
}

/// `GET /warehouses/{id}/stock/{product_id}/explain`: the events behind what is on hand, and the reservations behind what is reserved.
#[utoipa::path(
    get, path = "/warehouses/{id}/stock/{product_id}/explain", tag = "stock",
    params(Paging), responses(Done<Explanation>),
)]
pub(crate) async fn explain(
    req: HttpRequest,
    state: Shared,
    place: Place,
) -> Result<HttpResponse, Problem> {
    let key = find(&state.engine, &place)?;
    let mut params = Params::of(&req);
    let page = Page::of(&req, &mut params);
    let after = page.after_id(&mut params);
    params.finish()?;
    let engine = state.engine.clone();
    // The journal is on a disk, and a hot stock has many reservations.
    let look = web::block(move || look(&engine, key, after, &page));
    let explanation = look.await.map_err(Problem::no_thread)??;
    let link =
        explanation.next_cursor.as_deref().map(|cursor| page::next_link(&req, &["cursor"], cursor));
    Ok(page::linked(answer::ok(&explanation), link))
}

fn look(
    engine: &Engine,
    key: StockKey,
    after: Sequence,
    page: &Page,
) -> Result<Explanation, Problem> {
    let Reserved { newest, count, frees_next } = engine.reserved(key, LIVE_MAX);
    let (changes, more) = engine.on_hand_changes(key, after, page.limit)?;
    let frees = |&(at, quantity): &(Timestamp, Quantity)| FreesView { at: Time(at), quantity };
    Ok(Explanation {
        stock: RowView::from(&engine.stock(key)),
        events: changes.iter().map(|change| show(engine, change)).collect(),
        next_cursor: more.map(|position| page.cursor(&position.to_be_bytes())),
        reservations: newest.iter().map(Into::into).collect(),
        reservation_count: count,
        frees_next: frees_next.iter().map(frees).collect(),
    })
}

fn show(engine: &Engine, StockChange { sequence, at, event }: &StockChange) -> Change {
    let owner = owner(event);
    let reason = match (event, owner) {
        (StockEvent::Recounted { reason, .. }, _) => Some(reason.to_string()),
        (event, Some(owner)) if owner.kind() == OwnerKind::Adjustment => {
            reason_of(engine, owner, event.stock())
        }
        _ => None,
    };
    Change {
        position: sequence.to_string(),
        time: Time(*at),
        kind: kind(event, owner),
        change: changes(event).0,
        owner: owner.map(Into::into),
        reason,
    }
}

/// What the change is called in the feed, where an adjustment is told as a whole.
fn kind(event: &StockEvent, owner: Option<Owner>) -> &'static str {
    match owner {
        Some(owner) if owner.kind() == OwnerKind::Adjustment => "stock.adjusted",
        _ => crate::events::names(&event.clone().into()).first().copied().unwrap_or_default(),
    }
}

/// Why an adjustment changed a stock; a take that came to nothing has no reason.
fn reason_of(engine: &Engine, owner: Owner, key: StockKey) -> Option<String> {
    match engine.adjustment(AdjustmentId(owner.id()))? {
        AdjustmentEvent::Adjusted(adjusted) => Some(adjusted.reason.name().to_owned()),
        AdjustmentEvent::RowsAdjusted(adjusted) => {
            let here = adjusted.rows.iter().filter(|row| row.stock == key);
            let mut reasons: Vec<&str> = here.map(|row| row.reason.name()).collect();
            reasons.dedup();
            Some(reasons.join(", "))
        }
    }
}
