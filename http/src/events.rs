//! `/events`: everything that happened, in journal order, as CloudEvents 1.0.

mod data;
mod names;

use std::time::{Duration, Instant};

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    rt::time::{sleep, timeout},
    web,
};
use futures_util::future::select;
use serde::Serialize;
use serde_json::value::RawValue;
use stockade_actors::{After, Engine, Happened};
use stockade_domain::{Event, Sequence, Timestamp, Who};
use utoipa::ToSchema;

use crate::{
    answer,
    openapi::{answers::Feed, events as schemas, kinds},
    page::{self, List},
    problem::{Code, Problem},
    query::Params,
    state::Shared,
    time::Time,
};
pub(crate) use data::{AdjustmentData, CustomerData, Data, OwnerView, StockData, changes, owner};
pub(crate) use names::{Entity, TYPES, names, of_order};

/// The longest a request may wait for something to happen, in seconds.
pub(crate) const WAIT_SECONDS_MAX: u64 = 30;

/// A rest between two looks of one waiting request whose filters nothing fits: a busy engine commits far more often than anybody
/// needs to look.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// The most types, and the most entities, that one request filters by.
pub(crate) const FILTERS_MAX: usize = 50;

/// One event in the envelope of CloudEvents 1.0. Written by hand from the standard: it is nine fields.
#[derive(Serialize, ToSchema)]
#[schema(
    examples(json!({"specversion": "1.0", "id": "0-42", "source": "urn:stockade:00f1c2d3a4b5c6d7e8f9000102030405", "type": "order.placed", "subject": "order/1", "time": "2026-01-31T12:00:00.000Z", "datacontenttype": "application/json", "position": "42", "data": {"id": 1, "customer_id": null, "shop_id": 1, "status": "paid", "lines": [{"product_id": 1, "sku": "MUG-BLUE", "name": "Mug, blue", "quantity": 2, "unit_price": "12.50", "line_total": "25.00", "reserved": 2, "shipped": 0, "cancelled": 0, "returned": 0, "allocations": [{"warehouse_id": 1, "quantity": 2}]}], "total_price": "25.00", "paid_amount": "25.00", "refund_due": "0.00", "refunded_amount": "0.00", "currency": "USD", "payment_deadline": "2026-01-31T12:00:00.000Z", "placed_at": "2026-01-31T12:00:00.000Z", "paid_at": "2026-01-31T12:00:00.000Z", "closed_at": null, "payments": [{"amount": "25.00", "method": "card", "reference": "ch_7731", "recorded_at": "2026-01-31T12:00:00.000Z"}], "shipments": [], "returns": [], "allowed_transitions": ["shipped", "cancelled"], "cancel_reason": null, "note": null, "reference": null, "metadata": {}, "created_at": "2026-01-31T12:00:00.000Z", "updated_at": "2026-01-31T12:00:00.000Z", "version": 3}}))
)]
pub(crate) struct CloudEvent<'a, D> {
    #[schema(pattern = "^1\\.0$")]
    specversion: &'static str,
    id: String,
    source: &'a str,
    #[serde(rename = "type")]
    #[schema(value_type = kinds::EventType)]
    kind: &'a str,
    #[schema(value_type = kinds::Entity)]
    subject: String,
    time: Time,
    datacontenttype: &'static str,
    /// An extension attribute: `after` of whoever goes on from here.
    #[schema(value_type = kinds::Position)]
    position: String,
    /// Another: who did it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    who: Option<String>,
    data: D,
}

/// Where an event is, and when it was committed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) sequence: Sequence,
    pub(crate) epoch: u32,
    pub(crate) at: Timestamp,
}

impl<'a, D> CloudEvent<'a, D> {
    /// The event at a place. Its id is the same at every reading, after every restart.
    pub(crate) fn new(
        source: &'a str,
        place: Place,
        kind: &'a str,
        subject: Entity,
        data: D,
    ) -> Self {
        let Place { sequence, epoch, at } = place;
        Self {
            specversion: "1.0",
            id: format!("{epoch}-{sequence}"),
            source,
            kind,
            subject: subject.to_string(),
            time: Time(at),
            datacontenttype: "application/json",
            position: sequence.to_string(),
            who: None,
            data,
        }
    }

    /// The same, done by somebody.
    pub(crate) fn by(mut self, who: Option<Who>) -> Self {
        self.who = who.map(|who| match who {
            Who::Customer(customer) => format!("customer/{customer}"),
            Who::Account(account) => format!("account/{account}"),
            Who::ApiKey(key) => format!("api_key/{key}"),
        });
        self
    }
}

/// Who says all this: this journal and no other.
pub(crate) fn source(engine: &Engine) -> String {
    format!("urn:stockade:{:032x}", engine.journal_id())
}

/// Which events are asked for.
#[derive(Default)]
struct Filter {
    types: Vec<&'static str>,
    entities: Vec<Entity>,
}

impl Filter {
    fn of(params: &mut Params) -> Self {
        let mut filter = Self::default();
        let (types, entities) = (params.all("type"), params.all("entity"));
        for (name, given) in [("type", types.len()), ("entity", entities.len())] {
            if given > FILTERS_MAX {
                params.fault(name, Code::Invalid, format!("may be there {FILTERS_MAX} times"));
                return filter;
            }
        }
        for wanted in types {
            let fits = |kind: &&&str| match wanted.strip_suffix('*') {
                Some(group) => group.ends_with('.') && kind.starts_with(group),
                None => **kind == wanted,
            };
            let before = filter.types.len();
            filter.types.extend(names::TYPES.iter().filter(fits));
            if filter.types.len() == before {
                params.fault("type", Code::Invalid, "must be a type such as order.paid or order.*");
            }
        }
        for entity in entities {
            match Entity::read(&entity) {
                Some(entity) => filter.entities.push(entity),
                None => {
                    let detail = "must be a thing such as order/7, product/3 or stock/1/3";
                    params.fault("entity", Code::Invalid, detail);
                }
            }
        }
        filter
    }

    fn takes(&self, kind: &str) -> bool {
        self.types.is_empty() || self.types.contains(&kind)
    }

    fn fits(&self, event: &Event) -> bool {
        names(event).iter().any(|kind| self.takes(kind))
            && (self.entities.is_empty() || self.entities.iter().any(|entity| entity.is_in(event)))
    }
}

/// The type of an event.
fn kind(happened: &Happened) -> &'static str {
    match (&happened.event, &happened.after) {
        (Event::Order(event), After::Order(order)) => of_order(event, order.status),
        (event, _) => names(event).first().copied().unwrap_or_default(),
    }
}

/// `GET /events`: everything that happened, in order, none missing.
#[utoipa::path(
    get, path = "/events", tag = "events",
    params(
        ("limit" = usize, Query, description = "The most events that are looked for.", minimum = 1, maximum = 500),
        ("after" = kinds::Position, Query, description = "What comes after this place; the beginning when it is absent."),
        ("cursor" = kinds::Position, Query, description = "The `next_cursor` of the page before: the same as `after`, and instead of it."),
        ("wait" = usize, Query, description = "Seconds to wait for something to happen when there is nothing yet.", minimum = 0, maximum = 30),
        ("type" = Vec<kinds::EventTypes>, Query, description = "Of these types, or groups such as `order.*`.", max_items = 50),
        ("entity" = Vec<kinds::Entity>, Query, description = "About these things.", max_items = 50),
    ),
    responses(Feed<schemas::Event>),
)]
pub(crate) async fn list(req: HttpRequest, state: Shared) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&req);
    let engine = &state.engine;
    let limit = page::limit(&mut params);
    let mut position = start(engine, &mut params);
    let wait = params.count("wait").unwrap_or(0);
    if wait > WAIT_SECONDS_MAX {
        let detail = format!("must be a number of seconds up to {WAIT_SECONDS_MAX}");
        params.fault("wait", Code::Invalid, detail);
    }
    let filter = std::sync::Arc::new(Filter::of(&mut params));
    params.finish()?;
    let until = Instant::now() + Duration::from_secs(wait);
    let waiting = match wait {
        0 => None,
        _ => Some(state.follow().ok_or_else(|| {
            let detail = "too many requests wait for events; ask without wait";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, Code::Overloaded, detail)
                .with_retry_after(1)
        })?),
    };
    let mut woken = false;
    loop {
        let (engine, filter) = (engine.clone(), filter.clone());
        let end = engine.position();
        // The journal is on a disk.
        let look = web::block(move || look(&engine, position, limit, &filter));
        let (data, after) = look.await.map_err(Problem::no_thread)??;
        position = after;
        let left = until.saturating_duration_since(Instant::now());
        // A page that did all its work, for nothing, says how far it came.
        let at_end = position >= end;
        if !data.is_empty() || !at_end || waiting.is_none() || left.is_zero() || state.is_draining()
        {
            let next_cursor = Some(position.to_string());
            let link = page::next_link(&req, &["cursor", "after"], &position.to_string());
            return Ok(page::linked(answer::ok(&List { data, next_cursor }), Some(link)));
        }
        if std::mem::replace(&mut woken, true) {
            sleep(LOOK_PAUSE.min(left)).await;
        }
        let happens = Box::pin(state.engine.happens_after(position));
        let ends = Box::pin(state.drained());
        // Whichever it was is seen at the next look.
        let _ = timeout(left, select(happens, ends)).await;
    }
}

/// Where to go on: `after` and `cursor` are the same.
fn start(engine: &Engine, params: &mut Params) -> Sequence {
    let digits = |text: &str| match text.is_empty() || text.bytes().any(|b| !b.is_ascii_digit()) {
        true => None,
        false => text.parse::<Sequence>().ok(),
    };
    let (after, cursor) = (params.one("after"), params.one("cursor"));
    let (name, given) = match (after, cursor) {
        (Some(_), Some(_)) => {
            params.fault("cursor", Code::Invalid, "cannot stand beside after: it is the same");
            return 0;
        }
        (Some(after), None) => ("after", after),
        (None, Some(cursor)) => ("cursor", cursor),
        (None, None) => return 0,
    };
    match digits(&given).filter(|position| *position <= engine.position()) {
        Some(position) => position,
        None => {
            let detail = "must be a position or next_cursor that this server gave";
            params.fault(name, Code::CursorInvalid, detail);
            0
        }
    }
}

/// A page of what fits, as it will be sent, and where it ended.
fn look(
    engine: &Engine,
    after: Sequence,
    limit: usize,
    filter: &Filter,
) -> Result<(Vec<Box<RawValue>>, Sequence), Problem> {
    let feed = engine.feed(after, limit, |event| filter.fits(event))?;
    let source = source(engine);
    let mut data = Vec::with_capacity(feed.happened.len());
    for happened in &feed.happened {
        let kind = kind(happened);
        if filter.takes(kind) {
            let Happened { sequence, epoch, at, who, .. } = *happened;
            let place = Place { sequence, epoch, at };
            let subject = Entity::of(&happened.event);
            let event = CloudEvent::new(&source, place, kind, subject, Data(happened)).by(who);
            // Writing to memory cannot fail, and every key is text.
            data.extend(serde_json::value::to_raw_value(&event));
        }
    }
    Ok((data, feed.position))
}
