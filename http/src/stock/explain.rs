use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use stockade_actors::{Engine, Happened, LiveReservation, Reserved};
use stockade_domain::{
    AdjustmentId, Event, Owner, OwnerKind, Quantity, Sequence, StockKey, Timestamp,
    adjustment::AdjustmentEvent, stock::StockEvent,
};

use super::{Place, RowView, find};
use crate::{
    answer,
    events::{OwnerView, changes, owner},
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
#[derive(Serialize)]
struct Explanation {
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
#[derive(Serialize)]
struct Change {
    position: String,
    time: Time,
    #[serde(rename = "type")]
    kind: &'static str,
    change: i64,
    owner: Option<OwnerView>,
    reason: Option<String>,
}

/// Who has reserved units, how many, and until when.
#[derive(Debug, Serialize)]
pub(crate) struct LiveView {
    owner: OwnerView,
    quantity: Quantity,
    since: Option<Time>,
    expires_at: Option<Time>,
}

#[derive(Serialize)]
struct FreesView {
    at: Time,
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

/// `GET /warehouses/{id}/stock/{product_id}/explain`.
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
    let end = engine.position();
    let feed = engine.feed(after, page.limit, |event| match event {
        Event::Stock(event) => event.stock() == key && changes(event).0 != 0,
        _ => false,
    })?;
    let frees = |&(at, quantity): &(Timestamp, Quantity)| FreesView { at: Time(at), quantity };
    Ok(Explanation {
        stock: RowView::from(&engine.stock(key)),
        events: feed.happened.iter().filter_map(|happened| change(engine, happened)).collect(),
        next_cursor: (feed.position < end).then(|| page.cursor(&feed.position.to_be_bytes())),
        reservations: newest.iter().map(Into::into).collect(),
        reservation_count: count,
        frees_next: frees_next.iter().map(frees).collect(),
    })
}

fn change(engine: &Engine, happened: &Happened) -> Option<Change> {
    let Event::Stock(event) = &happened.event else { return None };
    let owner = owner(event);
    let reason = match (event, owner) {
        (StockEvent::Recounted { reason, .. }, _) => Some(reason.to_string()),
        (event, Some(owner)) if owner.kind() == OwnerKind::Adjustment => {
            reason_of(engine, owner, event.stock())
        }
        _ => None,
    };
    Some(Change {
        position: happened.sequence.to_string(),
        time: Time(happened.at),
        kind: kind(event, owner),
        change: changes(event).0,
        owner: owner.map(Into::into),
        reason,
    })
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
