//! `/shops`: what sells, in one currency, out of which warehouses.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Path};
use serde::{Deserialize, Serialize};
use stockade_actors::Engine;
use stockade_domain::{
    Currency, ShopId, WarehouseId,
    catalogue::{NewShop, Shop, ShopChange},
    limits::PAYMENT_DEADLINE_MS_DEFAULT,
    sourcing::{Rule, Sourcing},
};
use utoipa::ToSchema;

use crate::{
    answer::{self, Cached},
    command::Acting,
    etag::Expected,
    extract::Input,
    fields::{ReadOnly, not_null},
    money::Code,
    openapi::{
        answers::{Changed, Conflict, IfMatch, Made, Many, One, Paging},
        kinds,
    },
    page::Page,
    problem::Problem,
    query::Params,
    refusals::{Named, locating, plain},
    state::Shared,
};

/// The shop of a request that names none.
pub(crate) const DEFAULT_SHOP: ShopId = ShopId(1);

/// A shop, as clients read it.
#[derive(Serialize, ToSchema)]
#[schema(
    as = Shop,
    examples(json!({"id": 1, "name": "main", "currency": "USD", "payment_deadline_seconds": 1800, "sourcing": {"rule": "priority", "split_lines": true}, "created_at": "2026-01-31T12:00:00.000Z", "updated_at": "2026-01-31T12:00:00.000Z", "version": 1}))
)]
pub(crate) struct ShopView<'a> {
    #[schema(value_type = kinds::Id)]
    id: ShopId,
    name: &'a str,
    #[schema(value_type = Code)]
    currency: &'static str,
    #[schema(value_type = kinds::PaymentDeadline)]
    payment_deadline_seconds: u64,
    sourcing: SourcingView,
    created_at: crate::time::Time,
    updated_at: crate::time::Time,
    #[schema(value_type = kinds::Version)]
    version: u32,
}

#[derive(Serialize, ToSchema)]
#[schema(
    as = Sourcing,
    examples(json!({"rule": "priority", "split_lines": true}))
)]
struct SourcingView {
    #[schema(value_type = RuleBody)]
    rule: &'static str,
    split_lines: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = NewShop,
    examples(json!({"name": "Harbour shop", "currency": "EUR", "sourcing": {"rule": "most_stock"}}))
)]
pub(crate) struct NewShopBody {
    #[schema(value_type = kinds::Text)]
    name: String,
    currency: Option<Code>,
    #[schema(value_type = Option<kinds::PaymentDeadline>)]
    payment_deadline_seconds: Option<u64>,
    sourcing: Option<SourcingBody>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = PatchShop,
    examples(json!({"payment_deadline_seconds": 3600}))
)]
pub(crate) struct PatchShopBody {
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = kinds::Text)]
    name: Option<String>,
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Code)]
    currency: Option<Code>,
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = kinds::PaymentDeadline)]
    payment_deadline_seconds: Option<u64>,
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = SourcingBody)]
    sourcing: Option<SourcingBody>,
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
    as = NewSourcing,
    examples(json!({"rule": "single_warehouse", "split_lines": false}))
)]
struct SourcingBody {
    rule: Option<RuleBody>,
    split_lines: Option<bool>,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(
    as = SourcingRule,
    examples(json!("priority"))
)]
enum RuleBody {
    Priority,
    MostStock,
    Nearest,
    SingleWarehouse,
}

/// The warehouses of a shop, in the order in which they are drawn from.
#[derive(Debug, Serialize, ToSchema)]
#[schema(
    as = ShopWarehouses,
    examples(json!({"warehouse_ids": [2, 1]}))
)]
pub(crate) struct WarehousesView {
    #[schema(value_type = Vec<kinds::Id>, max_items = 100)]
    warehouse_ids: Vec<u64>,
}

/// The same, as it is set.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = SetShopWarehouses,
    examples(json!({"warehouse_ids": [2, 1]}))
)]
pub(crate) struct SetWarehousesBody {
    #[schema(value_type = Vec<kinds::Id>, max_items = 100)]
    warehouse_ids: Vec<u64>,
    #[schema(value_type = Option<kinds::Version>)]
    version: Option<u32>,
}

impl<'a> From<&'a Arc<Shop>> for ShopView<'a> {
    fn from(shop: &'a Arc<Shop>) -> Self {
        let rule = match shop.sourcing.rule {
            Rule::Priority => "priority",
            Rule::MostStock => "most_stock",
            Rule::Nearest => "nearest",
            Rule::SingleWarehouse => "single_warehouse",
        };
        Self {
            id: shop.id,
            name: &shop.name,
            currency: shop.currency.code(),
            payment_deadline_seconds: shop.payment_deadline_ms / 1_000,
            sourcing: SourcingView { rule, split_lines: shop.sourcing.split_lines },
            created_at: crate::time::Time(shop.created_at),
            updated_at: crate::time::Time(shop.updated_at),
            version: shop.version,
        }
    }
}

impl From<RuleBody> for Rule {
    fn from(rule: RuleBody) -> Self {
        match rule {
            RuleBody::Priority => Self::Priority,
            RuleBody::MostStock => Self::MostStock,
            RuleBody::Nearest => Self::Nearest,
            RuleBody::SingleWarehouse => Self::SingleWarehouse,
        }
    }
}

/// Milliseconds; too many stay too many for the engine to refuse.
pub(crate) fn ms(seconds: u64) -> u64 {
    seconds.saturating_mul(1_000)
}

/// The currency of the shop that a request means when it names none.
pub(crate) fn default_currency(engine: &Engine) -> Result<Currency, Problem> {
    find(engine, DEFAULT_SHOP.0).map(|shop| shop.currency)
}

fn find(engine: &Engine, id: u64) -> Result<Arc<Shop>, Problem> {
    let shop = engine.catalogue().shop(ShopId(id)).cloned();
    shop.map_err(|_| Problem::not_found("shop", id))
}

/// `GET /shops`.
#[utoipa::path(
    get, path = "/shops", tag = "shops", summary = "A page of shops",
    params(Paging),
    responses(Many<ShopView<'static>>),
)]
pub(crate) async fn list(req: HttpRequest, state: Shared) -> Result<HttpResponse, Problem> {
    let (page, after) = Page::by_id(&req)?;
    let shops: Vec<_> =
        state.engine.catalogue().shops_after(after).take(page.look_for()).cloned().collect();
    Ok(page.answer_by_id(&req, &shops, |shop| shop.id.0, ShopView::from))
}

/// `GET /shops/{id}`.
#[utoipa::path(
    get, path = "/shops/{id}", tag = "shops", summary = "One shop",
    responses(One<ShopView<'static>>),
)]
pub(crate) async fn get(
    req: HttpRequest,
    state: Shared,
    id: Path<u64>,
) -> Result<HttpResponse, Problem> {
    let shop = find(&state.engine, *id)?;
    Params::of(&req).finish()?;
    Ok(answer::seen(&req, shop.version, Cached::Checked, &ShopView::from(&shop)))
}

/// `POST /shops`.
#[utoipa::path(
    post, path = "/shops", tag = "shops", summary = "Makes a shop",
    request_body = NewShopBody,
    responses(Made<ShopView<'static>>, Conflict),
)]
pub(crate) async fn create(
    req: HttpRequest,
    acting: Acting,
    body: Input<NewShopBody>,
) -> Result<HttpResponse, Problem> {
    let body = body.valid()?;
    let sourcing = Sourcing::default();
    let new = NewShop {
        name: body.name,
        currency: match body.currency {
            Some(Code(currency)) => currency,
            None => default_currency(&acting)?,
        },
        payment_deadline_ms: body.payment_deadline_seconds.map_or(PAYMENT_DEADLINE_MS_DEFAULT, ms),
        sourcing: body.sourcing.map_or(sourcing, |body| Sourcing {
            rule: body.rule.map_or(sourcing.rule, Rule::from),
            split_lines: body.split_lines.unwrap_or(sourcing.split_lines),
        }),
        warehouses: None,
    };
    let shop = acting.create_shop(new).await.map_err(locating(plain))?;
    Ok(done(&req, &shop))
}

/// The answer to a command about a shop.
pub(crate) fn done(req: &HttpRequest, shop: &Arc<Shop>) -> HttpResponse {
    let place = format_args!("/shops/{}", shop.id);
    answer::done_tagged(req, place, shop.version, &ShopView::from(shop))
}

/// `PATCH /shops/{id}`.
#[utoipa::path(
    patch, path = "/shops/{id}", tag = "shops", summary = "Changes a shop",
    params(IfMatch), request_body = PatchShopBody,
    responses(Changed<ShopView<'static>>, Conflict),
)]
pub(crate) async fn patch(
    req: HttpRequest,
    acting: Acting,
    id: Path<u64>,
    body: Input<PatchShopBody>,
) -> Result<HttpResponse, Problem> {
    let now = find(&acting, *id)?;
    let body = body.valid()?;
    let expected = Expected::of(&req, body.version);
    let change = ShopChange {
        name: body.name,
        currency: body.currency.map(|Code(currency)| currency),
        payment_deadline_ms: body.payment_deadline_seconds.map(ms),
        rule: body.sourcing.as_ref().and_then(|sourcing| sourcing.rule).map(Rule::from),
        split_lines: body.sourcing.and_then(|sourcing| sourcing.split_lines),
        warehouses: None,
    };
    let shop = change_shop(&acting, &now, &expected, change).await?;
    Ok(done(&req, &shop))
}

async fn change_shop(
    engine: &Engine,
    now: &Shop,
    expected: &Expected,
    change: ShopChange,
) -> Result<Arc<Shop>, Problem> {
    let version = expected.version(now.version);
    let warehouses = change.warehouses.clone().unwrap_or_default();
    let locate = |named: Named<'_>| match named {
        Named::Thing("warehouse", id) => {
            let at = warehouses.iter().position(|warehouse| warehouse.0 == id)?;
            Some(format!("/warehouse_ids/{at}"))
        }
        named => plain(named),
    };
    let changed = engine.change_shop(now.id, version, change).await;
    changed.map_err(|error| expected.explain(error, locating(locate)))
}

/// `GET /shops/{id}/warehouses`: those that it draws from, in order.
#[utoipa::path(
    get, path = "/shops/{id}/warehouses", tag = "shops", summary = "The warehouses that a shop draws from, in order",
    responses(One<WarehousesView>),
)]
pub(crate) async fn warehouses(
    req: HttpRequest,
    state: Shared,
    id: Path<u64>,
) -> Result<HttpResponse, Problem> {
    let shop = find(&state.engine, *id)?;
    Params::of(&req).finish()?;
    let view = warehouses_of(&state.engine, &shop);
    Ok(answer::seen(&req, shop.version, Cached::Checked, &view))
}

/// `PUT /shops/{id}/warehouses`.
#[utoipa::path(
    put, path = "/shops/{id}/warehouses", tag = "shops", summary = "Says which warehouses a shop draws from",
    params(IfMatch), request_body = SetWarehousesBody,
    responses(Changed<WarehousesView>, Conflict),
)]
pub(crate) async fn set_warehouses(
    req: HttpRequest,
    acting: Acting,
    id: Path<u64>,
    body: Input<SetWarehousesBody>,
) -> Result<HttpResponse, Problem> {
    let now = find(&acting, *id)?;
    let SetWarehousesBody { warehouse_ids, version } = body.valid()?;
    let warehouses = warehouse_ids.into_iter().map(WarehouseId).collect();
    let expected = Expected::of(&req, version);
    let change = ShopChange { warehouses: Some(warehouses), ..ShopChange::default() };
    let shop = change_shop(&acting, &now, &expected, change).await?;
    let view = warehouses_of(&acting, &shop);
    Ok(answer::tagged(StatusCode::OK, shop.version, &view))
}

/// A shop that lists none draws from every active one.
fn warehouses_of(engine: &Engine, shop: &Shop) -> WarehousesView {
    let listed = shop.warehouses.as_ref();
    let ids = listed.map(|listed| listed.iter().map(|warehouse| warehouse.0).collect());
    let every = || engine.catalogue().sources(shop).map(|warehouse| warehouse.id.0).collect();
    WarehousesView { warehouse_ids: ids.unwrap_or_else(every) }
}
