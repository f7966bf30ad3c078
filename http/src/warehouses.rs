//! `/warehouses`: where stock is.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web::Path};
use serde::{Deserialize, Serialize};
use stockade_actors::Engine;
use stockade_domain::{
    WarehouseId,
    catalogue::{NewWarehouse, Warehouse, WarehouseChange},
};
use utoipa::ToSchema;

use crate::{
    answer::{self, Cached},
    command::Acting,
    etag::Expected,
    extract::Input,
    fields::{Patch, ReadOnly, not_null, unchanged},
    openapi::{
        answers::{Changed, Conflict, IfMatch, Made, Many, One, Paging},
        kinds,
    },
    page::Page,
    problem::Problem,
    query::Params,
    refusals::{locating, plain},
    state::Shared,
    time::Time,
};

/// A warehouse, as clients read it.
#[derive(Serialize, ToSchema)]
#[schema(
    as = Warehouse,
    examples(json!({"id": 1, "name": "main", "country": "GB", "latitude": 51.5074, "longitude": -0.1278, "status": "active", "created_at": "2026-01-31T12:00:00.000Z", "updated_at": "2026-01-31T12:00:00.000Z", "version": 1}))
)]
pub(crate) struct WarehouseView<'a> {
    #[schema(value_type = kinds::Id)]
    id: WarehouseId,
    name: &'a str,
    country: Option<&'a str>,
    #[schema(value_type = Option<kinds::Latitude>)]
    latitude: Option<f64>,
    #[schema(value_type = Option<kinds::Longitude>)]
    longitude: Option<f64>,
    #[schema(value_type = Status)]
    status: &'static str,
    created_at: Time,
    updated_at: Time,
    #[schema(value_type = kinds::Version)]
    version: u32,
}

impl<'a> From<&'a Arc<Warehouse>> for WarehouseView<'a> {
    fn from(warehouse: &'a Arc<Warehouse>) -> Self {
        let degrees = |e6: i32| f64::from(e6) / 1e6;
        Self {
            id: warehouse.id,
            name: &warehouse.name,
            country: warehouse.country.as_deref(),
            latitude: warehouse.place_e6.map(|(north, _)| degrees(north)),
            longitude: warehouse.place_e6.map(|(_, east)| degrees(east)),
            status: if warehouse.active { "active" } else { "inactive" },
            created_at: Time(warehouse.created_at),
            updated_at: Time(warehouse.updated_at),
            version: warehouse.version,
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = NewWarehouse,
    examples(json!({"name": "Harbour", "country": "GB"}))
)]
pub(crate) struct NewWarehouseBody {
    #[schema(value_type = kinds::Text)]
    name: String,
    #[schema(value_type = Option<kinds::Country>)]
    country: Option<String>,
    #[schema(value_type = Option<kinds::Latitude>)]
    latitude: Option<f64>,
    #[schema(value_type = Option<kinds::Longitude>)]
    longitude: Option<f64>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = PatchWarehouse,
    examples(json!({"latitude": 51.5074, "longitude": -0.1278}))
)]
pub(crate) struct PatchWarehouseBody {
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = kinds::Text)]
    name: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<kinds::Country>)]
    country: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<kinds::Latitude>)]
    latitude: Patch<f64>,
    #[serde(default)]
    #[schema(value_type = Option<kinds::Longitude>)]
    longitude: Patch<f64>,
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Status)]
    status: Option<Status>,
    #[schema(value_type = Option<kinds::Version>)]
    version: Option<u32>,
    #[serde(rename = "id", default)]
    _id: ReadOnly,
    #[serde(rename = "created_at", default)]
    _created_at: ReadOnly,
    #[serde(rename = "updated_at", default)]
    _updated_at: ReadOnly,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = SetWarehouseStatus,
    examples(json!({"status": "inactive"}))
)]
pub(crate) struct StatusBody {
    status: Status,
    #[schema(value_type = Option<kinds::Version>)]
    version: Option<u32>,
    /// As it is, like the next three: `PATCH /warehouses/{id}` changes them.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = kinds::Text)]
    name: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<kinds::Country>)]
    country: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<kinds::Latitude>)]
    latitude: Patch<f64>,
    #[serde(default)]
    #[schema(value_type = Option<kinds::Longitude>)]
    longitude: Patch<f64>,
    #[serde(rename = "id", default)]
    _id: ReadOnly,
    #[serde(rename = "created_at", default)]
    _created_at: ReadOnly,
    #[serde(rename = "updated_at", default)]
    _updated_at: ReadOnly,
}

impl StatusBody {
    /// What it repeats of the warehouse is what is there.
    fn check(self, now: &Warehouse) -> Result<(), Problem> {
        const WRITES: &str = "PATCH /warehouses/{id}";
        let (north, east) = now.place_e6.unzip();
        unchanged("name", self.name.as_deref(), &&*now.name, WRITES)?;
        let country = self.country.optional();
        unchanged(
            "country",
            country.as_ref().map(Option::as_deref),
            &now.country.as_deref(),
            WRITES,
        )?;
        unchanged("latitude", e6(self.latitude), &north, WRITES)?;
        unchanged("longitude", e6(self.longitude), &east, WRITES)
    }
}

/// Millionths of a degree, of a field that may be absent or removed.
fn e6(degrees: Patch<f64>) -> Option<Option<i32>> {
    degrees.optional().map(|degrees| degrees.map(millionths))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(
    as = WarehouseStatus,
    examples(json!("active"))
)]
enum Status {
    Active,
    Inactive,
}

/// Millionths of a degree: about 10 cm, finer than any address.
pub(crate) fn millionths(degrees: f64) -> i32 {
    (degrees * 1e6).round() as i32
}

/// Both or neither: half a place is none.
pub(crate) fn place(
    latitude: Option<f64>,
    longitude: Option<f64>,
) -> Result<Option<(i32, i32)>, Problem> {
    match (latitude, longitude) {
        (Some(north), Some(east)) => Ok(Some((millionths(north), millionths(east)))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(Problem::field("/longitude", "is needed beside latitude")),
        (None, Some(_)) => Err(Problem::field("/latitude", "is needed beside longitude")),
    }
}

fn find(engine: &Engine, id: u64) -> Result<Arc<Warehouse>, Problem> {
    let warehouse = engine.catalogue().warehouse(WarehouseId(id)).cloned();
    warehouse.map_err(|_| Problem::not_found("warehouse", id))
}

/// `GET /warehouses`.
#[utoipa::path(
    get, path = "/warehouses", tag = "warehouses", summary = "A page of warehouses",
    params(Paging),
    responses(Many<WarehouseView<'static>>),
)]
pub(crate) async fn list(req: HttpRequest, state: Shared) -> Result<HttpResponse, Problem> {
    let (page, after) = Page::by_id(&req)?;
    let found: Vec<_> =
        state.engine.catalogue().warehouses_after(after).take(page.look_for()).cloned().collect();
    let id = |warehouse: &Arc<Warehouse>| warehouse.id.0;
    Ok(page.answer_by_id(&req, &found, id, WarehouseView::from))
}

/// `GET /warehouses/{id}`.
#[utoipa::path(
    get, path = "/warehouses/{id}", tag = "warehouses", summary = "One warehouse",
    responses(One<WarehouseView<'static>>),
)]
pub(crate) async fn get(
    req: HttpRequest,
    state: Shared,
    id: Path<u64>,
) -> Result<HttpResponse, Problem> {
    let warehouse = find(&state.engine, *id)?;
    Params::of(&req).finish()?;
    let view = WarehouseView::from(&warehouse);
    Ok(answer::seen(&req, warehouse.version, Cached::Checked, &view))
}

/// `POST /warehouses`.
#[utoipa::path(
    post, path = "/warehouses", tag = "warehouses", summary = "Makes a warehouse",
    request_body = NewWarehouseBody,
    responses(Made<WarehouseView<'static>>, Conflict),
)]
pub(crate) async fn create(
    req: HttpRequest,
    acting: Acting,
    body: Input<NewWarehouseBody>,
) -> Result<HttpResponse, Problem> {
    let NewWarehouseBody { name, country, latitude, longitude } = body.valid()?;
    let new = NewWarehouse { name, country, place_e6: place(latitude, longitude)? };
    let warehouse = acting.create_warehouse(new).await.map_err(locating(plain))?;
    Ok(done(&req, &warehouse))
}

/// The answer to a command about a warehouse.
pub(crate) fn done(req: &HttpRequest, warehouse: &Arc<Warehouse>) -> HttpResponse {
    let place = format_args!("/warehouses/{}", warehouse.id);
    answer::done_tagged(req, place, warehouse.version, &WarehouseView::from(warehouse))
}

/// `PATCH /warehouses/{id}`.
#[utoipa::path(
    patch, path = "/warehouses/{id}", tag = "warehouses", summary = "Changes a warehouse",
    params(IfMatch), request_body = PatchWarehouseBody,
    responses(Changed<WarehouseView<'static>>, Conflict),
)]
pub(crate) async fn patch(
    req: HttpRequest,
    acting: Acting,
    id: Path<u64>,
    body: Input<PatchWarehouseBody>,
) -> Result<HttpResponse, Problem> {
    let now = find(&acting, *id)?;
    let body = body.valid()?;
    let expected = Expected::of(&req, body.version);
    let change = WarehouseChange {
        name: body.name,
        country: body.country.optional(),
        latitude_e6: e6(body.latitude),
        longitude_e6: e6(body.longitude),
        active: body.status.map(|status| status == Status::Active),
    };
    change_warehouse(&req, &acting, &now, &expected, change).await
}

/// `PATCH /warehouses/{id}/status`.
#[utoipa::path(
    patch, path = "/warehouses/{id}/status", tag = "warehouses", summary = "Says whether reservations draw from a warehouse",
    params(IfMatch), request_body = StatusBody,
    responses(Changed<WarehouseView<'static>>, Conflict),
)]
pub(crate) async fn set_status(
    req: HttpRequest,
    acting: Acting,
    id: Path<u64>,
    body: Input<StatusBody>,
) -> Result<HttpResponse, Problem> {
    let now = find(&acting, *id)?;
    let body = body.valid()?;
    let (status, version) = (body.status, body.version);
    body.check(&now)?;
    let active = Some(status == Status::Active);
    let change = WarehouseChange { active, ..WarehouseChange::default() };
    change_warehouse(&req, &acting, &now, &Expected::of(&req, version), change).await
}

async fn change_warehouse(
    req: &HttpRequest,
    engine: &Engine,
    now: &Warehouse,
    expected: &Expected,
    change: WarehouseChange,
) -> Result<HttpResponse, Problem> {
    let version = expected.version(now.version);
    let changed = engine.change_warehouse(now.id, version, change).await;
    Ok(done(req, &changed.map_err(|error| expected.explain(error, locating(plain)))?))
}
