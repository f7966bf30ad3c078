//! `/stock/adjustments`: stock corrected, one or many at once.

use actix_web::{HttpRequest, HttpResponse, web::Path};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use stockade_actors::{Engine, FirstAnswer};
use stockade_domain::{
    AdjustmentId, ProductId, StockKey, WarehouseId,
    adjustment::{Adjust, AdjustRow, Adjusted, AdjustmentEvent, Reason, RowsAdjusted},
    catalogue::StockDelta,
    limits::ADJUSTMENT_LINES_MAX,
};
use utoipa::ToSchema;

use crate::{
    answer,
    command::Acting,
    extract::Input,
    openapi::{
        answers::{Conflict, Done, Made},
        kinds,
    },
    problem::Problem,
    query::Params,
    refusals::{Named, Request, explain, locating, plain},
    replay::{First, of_rows},
    rows::Sent,
    state::Shared,
    time::Time,
};

#[derive(Serialize, ToSchema)]
#[schema(
    as = Adjustment,
    examples(json!({"id": 1, "reason": "damaged", "reference": null, "adjustments": [{"warehouse_id": 1, "product_id": 1, "delta": -3, "reason": "damaged"}], "created_at": "2026-01-31T12:00:00.000Z"}))
)]
pub(crate) struct AdjustmentView {
    #[schema(value_type = kinds::Id)]
    id: AdjustmentId,
    /// Of all rows, where they have but one.
    #[schema(value_type = Option<ReasonBody>)]
    reason: Option<&'static str>,
    #[schema(value_type = Option<String>)]
    reference: Option<Box<str>>,
    adjustments: Vec<DeltaView>,
    created_at: Time,
}

#[derive(Serialize, ToSchema)]
#[schema(
    as = AdjustmentRow,
    examples(json!({"warehouse_id": 1, "product_id": 1, "delta": -3, "reason": "damaged"}))
)]
struct DeltaView {
    #[schema(value_type = kinds::Id)]
    warehouse_id: WarehouseId,
    #[schema(value_type = kinds::Id)]
    product_id: ProductId,
    delta: i64,
    #[schema(value_type = ReasonBody)]
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    reference: Option<Box<str>>,
}

impl From<Adjusted> for AdjustmentView {
    fn from(adjusted: Adjusted) -> Self {
        let reason = adjusted.reason.name();
        let view = |delta: &StockDelta| DeltaView {
            warehouse_id: delta.stock.warehouse,
            product_id: delta.stock.product,
            delta: delta.delta,
            reason,
            reference: None,
        };
        Self {
            id: adjusted.id,
            reason: Some(reason),
            adjustments: adjusted.deltas.iter().map(view).collect(),
            created_at: Time(adjusted.at),
            reference: adjusted.reference,
        }
    }
}

impl From<RowsAdjusted> for AdjustmentView {
    fn from(adjusted: RowsAdjusted) -> Self {
        let view = |row: AdjustRow| DeltaView {
            warehouse_id: row.stock.warehouse,
            product_id: row.stock.product,
            delta: row.delta,
            reason: row.reason.name(),
            reference: row.reference,
        };
        Self {
            id: adjusted.id,
            reason: None,
            reference: None,
            adjustments: adjusted.rows.into_iter().map(view).collect(),
            created_at: Time(adjusted.at),
        }
    }
}

impl From<AdjustmentEvent> for AdjustmentView {
    fn from(adjusted: AdjustmentEvent) -> Self {
        match adjusted {
            AdjustmentEvent::Adjusted(adjusted) => (*adjusted).into(),
            AdjustmentEvent::RowsAdjusted(adjusted) => (*adjusted).into(),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(
    as = AdjustmentResults,
    examples(json!({"results": [{"status": 201, "adjustment": {"id": 1, "reason": "damaged", "reference": null, "adjustments": [{"warehouse_id": 1, "product_id": 1, "delta": -3, "reason": "damaged"}], "created_at": "2026-01-31T12:00:00.000Z"}}]}))
)]
pub(crate) struct Results {
    results: Vec<Row>,
}

#[derive(Serialize, ToSchema)]
#[schema(
    as = AdjustmentResult,
    examples(json!({"status": 201, "adjustment": {"id": 1, "reason": "damaged", "reference": null, "adjustments": [{"warehouse_id": 1, "product_id": 1, "delta": -3, "reason": "damaged"}], "created_at": "2026-01-31T12:00:00.000Z"}}))
)]
struct Row {
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = AdjustmentView, required = false)]
    adjustment: Option<AdjustmentView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Problem, required = false)]
    error: Option<Problem>,
}

/// One adjustment, or many.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = NewAdjustment,
    examples(json!({"warehouse_id": 1, "product_id": 1, "delta": -3, "reason": "damaged"}))
)]
pub(crate) struct AdjustmentBody {
    #[schema(value_type = kinds::Id)]
    warehouse_id: Option<u64>,
    #[schema(value_type = kinds::Id)]
    product_id: Option<u64>,
    #[schema(value_type = kinds::Delta)]
    delta: Option<i64>,
    #[schema(value_type = ReasonBody)]
    reason: Option<ReasonBody>,
    #[schema(value_type = Option<kinds::Text>)]
    reference: Option<String>,
    #[schema(value_type = Vec<RowBody>, min_items = 1, max_items = 1000)]
    adjustments: Option<Vec<Box<RawValue>>>,
    mode: Option<Mode>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = NewAdjustmentRow,
    examples(json!({"warehouse_id": 1, "product_id": 1, "delta": -3}))
)]
struct RowBody {
    #[schema(value_type = kinds::Id)]
    warehouse_id: u64,
    #[schema(value_type = kinds::Id)]
    product_id: u64,
    #[schema(value_type = kinds::Delta)]
    delta: i64,
    reason: Option<ReasonBody>,
    #[schema(value_type = Option<kinds::Text>)]
    reference: Option<String>,
    /// Of the row, in mode `each`.
    #[schema(value_type = Option<kinds::IdempotencyKey>)]
    idempotency_key: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(
    as = AdjustmentReason,
    examples(json!("damaged"))
)]
enum ReasonBody {
    Received,
    Damaged,
    Lost,
    Found,
    Returned,
    Correction,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(
    as = AdjustmentMode,
    examples(json!("each"))
)]
enum Mode {
    All,
    Each,
}

impl From<ReasonBody> for Reason {
    fn from(reason: ReasonBody) -> Self {
        match reason {
            ReasonBody::Received => Self::Received,
            ReasonBody::Damaged => Self::Damaged,
            ReasonBody::Lost => Self::Lost,
            ReasonBody::Found => Self::Found,
            ReasonBody::Returned => Self::Returned,
            ReasonBody::Correction => Self::Correction,
        }
    }
}

impl RowBody {
    fn key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }

    fn delta(&self) -> StockDelta {
        let stock = StockKey::new(WarehouseId(self.warehouse_id), ProductId(self.product_id));
        StockDelta { stock, delta: self.delta }
    }
}

fn missing(field: &str) -> Problem {
    Problem::field(format!("/{field}"), "is missing")
}

/// `POST /stock/adjustments`.
#[utoipa::path(
    post, path = "/stock/adjustments", tag = "stock", summary = "Corrects one stock, or many: all or none, or each by itself",
    request_body = AdjustmentBody,
    responses(Made<AdjustmentView>, Done<Results>, Conflict),
)]
pub(crate) async fn adjust(
    req: HttpRequest,
    acting: Acting,
    body: Input<AdjustmentBody>,
) -> Result<HttpResponse, Problem> {
    let mut body = body.valid()?;
    match body.adjustments.take() {
        None => one(&req, &acting, body).await,
        Some(_) if body.warehouse_id.is_some() => Err(twice("warehouse_id")),
        Some(_) if body.product_id.is_some() => Err(twice("product_id")),
        Some(_) if body.delta.is_some() => Err(twice("delta")),
        Some(rows) if rows.is_empty() || rows.len() > ADJUSTMENT_LINES_MAX => {
            let detail = format!("must have 1 to {ADJUSTMENT_LINES_MAX} entries");
            Err(Problem::field("/adjustments", detail))
        }
        Some(rows) => {
            let rows = Sent::read("adjustments", rows);
            match body.mode {
                Some(Mode::Each) => each(&acting, &body, rows).await,
                None | Some(Mode::All) => all(&req, &acting, body, rows.all()?).await,
            }
        }
    }
}

fn twice(field: &str) -> Problem {
    Problem::field(format!("/{field}"), "cannot stand beside adjustments")
}

fn created(req: &HttpRequest, adjusted: impl Into<AdjustmentView>) -> HttpResponse {
    let view = adjusted.into();
    answer::created(req, format_args!("/stock/adjustments/{}", view.id), &view)
}

/// The answer to an adjustment.
pub(crate) fn done(req: &HttpRequest, adjusted: AdjustmentEvent) -> HttpResponse {
    created(req, adjusted)
}

/// `GET /stock/adjustments/{id}`: what was corrected, and why. It never changes.
#[utoipa::path(
    get, path = "/stock/adjustments/{id}", tag = "stock", summary = "One adjustment",
    responses(Done<AdjustmentView>),
)]
pub(crate) async fn adjustment(
    req: HttpRequest,
    state: Shared,
    id: Path<u64>,
) -> Result<HttpResponse, Problem> {
    let adjusted = state.engine.adjustment(AdjustmentId(*id));
    let adjusted = adjusted.ok_or_else(|| Problem::not_found("adjustment", *id))?;
    Params::of(&req).finish()?;
    Ok(answer::ok(&AdjustmentView::from(adjusted)))
}

async fn one(
    req: &HttpRequest,
    engine: &Engine,
    body: AdjustmentBody,
) -> Result<HttpResponse, Problem> {
    if body.mode.is_some() {
        return Err(Problem::field("/mode", "is for adjustments"));
    }
    let row = RowBody {
        warehouse_id: body.warehouse_id.ok_or_else(|| missing("warehouse_id"))?,
        product_id: body.product_id.ok_or_else(|| missing("product_id"))?,
        delta: body.delta.ok_or_else(|| missing("delta"))?,
        reason: None,
        reference: None,
        idempotency_key: None,
    };
    let reason = body.reason.ok_or_else(|| missing("reason"))?.into();
    let request = Adjust { deltas: vec![row.delta()], reason, reference: body.reference };
    let adjusted = engine.adjust(request).await;
    Ok(created(req, adjusted.map_err(locating(|named| locate_row("", &row, named)))?))
}

/// One adjustment of many stocks: all of them or none, each for its own reason where it has one.
async fn all(
    req: &HttpRequest,
    engine: &Engine,
    body: AdjustmentBody,
    rows: Vec<RowBody>,
) -> Result<HttpResponse, Problem> {
    if let Some(at) = rows.iter().position(|row| row.idempotency_key.is_some()) {
        let detail = "is for mode each: in mode all the rows are one command, with one key";
        return Err(Problem::field(format!("/adjustments/{at}/idempotency_key"), detail));
    }
    let locate = |named: Named<'_>| match named {
        Named::Field(field) => Some(format!("/{field}")),
        Named::Thing(..) => rows
            .iter()
            .enumerate()
            .find_map(|(at, row)| locate_row(&format!("/adjustments/{at}"), row, named)),
    };
    if let Some(reason) = body.reason
        && rows.iter().all(|row| row.reason.is_none() && row.reference.is_none())
    {
        let deltas = rows.iter().map(RowBody::delta).collect();
        let request = Adjust { deltas, reason: reason.into(), reference: body.reference };
        return Ok(created(req, engine.adjust(request).await.map_err(locating(locate))?));
    }
    let row = |(at, row): (usize, &RowBody)| {
        let reason = row.reason.or(body.reason);
        let reason = reason.ok_or_else(|| missing(&format!("adjustments/{at}/reason")))?.into();
        let reference = row.reference.as_ref().or(body.reference.as_ref());
        let reference = reference.map(|reference| reference.as_str().into());
        let StockDelta { stock, delta } = row.delta();
        Ok(AdjustRow { stock, delta, reason, reference })
    };
    let asked = rows.iter().enumerate().map(row).collect::<Result<_, Problem>>()?;
    Ok(created(req, engine.adjust_rows(asked).await.map_err(locating(locate))?))
}

/// Each row by itself.
async fn each(
    acting: &Acting,
    body: &AdjustmentBody,
    rows: Sent<RowBody>,
) -> Result<HttpResponse, Problem> {
    let draft = |_, row: RowBody| {
        let reason = row.reason.or(body.reason).ok_or_else(|| missing("reason"))?.into();
        let reference = row.reference.clone().or_else(|| body.reference.clone());
        Ok((Adjust { deltas: vec![row.delta()], reason, reference }, row))
    };
    let (requests, rows) = acting.each(rows, RowBody::key, draft)?;
    let told = acting.adjust_many(requests).await.map_err(locating(plain))?;
    let refused = |error, at, row: &RowBody| {
        let place = format!("/adjustments/{at}");
        let locate = |named: Named<'_>| locate_row(&place, row, named);
        explain(error, &Request { locate: &locate, currency: None })
    };
    let (answers, replayed) = rows.answers(acting, told, |_| None, first, refused).await?;
    let show = |answer: Result<Adjusted, Problem>| match answer {
        Ok(adjusted) => Row { status: 201, adjustment: Some(adjusted.into()), error: None },
        Err(error) => Row { status: error.status().as_u16(), adjustment: None, error: Some(error) },
    };
    let results = answers.into_iter().map(show).collect();
    Ok(of_rows(replayed, answer::ok(&Results { results })))
}

fn first(first: First) -> Option<Adjusted> {
    match first {
        First::Other(FirstAnswer::Adjusted(AdjustmentEvent::Adjusted(adjusted))) => Some(*adjusted),
        _ => None,
    }
}

/// Where a row at `place` names what a refusal is about.
fn locate_row(place: &str, row: &RowBody, named: Named<'_>) -> Option<String> {
    match named {
        Named::Field(field) => {
            Some(format!("{place}/{}", field.strip_prefix("adjustments/0/").unwrap_or(field)))
        }
        Named::Thing("product", id) if id == row.product_id => Some(format!("{place}/product_id")),
        Named::Thing("warehouse", id) if id == row.warehouse_id => {
            Some(format!("{place}/warehouse_id"))
        }
        Named::Thing(..) => None,
    }
}
