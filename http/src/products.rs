//! `/products`: what is sold.

mod batch;
mod body;
mod list;
mod view;

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Path};
use stockade_actors::{Engine, Error};
use stockade_domain::{
    ProductId, Quantity, Refusal, WarehouseId,
    catalogue::{Product, StockTotal},
};

use crate::{
    answer::{self, Cached},
    command::Acting,
    etag::{self, Expected},
    extract::Input,
    openapi::{
        answers::{Changed, Conflict, IfMatch, Made, One, Unconditional},
        kinds,
    },
    problem::{Code, Fault, Problem},
    query::Params,
    replay,
    state::Shared,
};
pub(crate) use batch::{__path_change_many, Results, change_many};
pub(crate) use body::ProductRow;
use body::{Change, NewProductBody, PatchProductBody, ReplaceProductBody};
pub(crate) use list::{__path_list, SEARCH_MAX, SKUS_MAX, list};
pub(crate) use view::ProductView;

/// Where stock goes that names no warehouse.
pub(crate) const DEFAULT_WAREHOUSE: WarehouseId = WarehouseId(1);

/// How often a change without a precondition is tried against the newest version before it counts as a conflict.
const TRIES_MAX: usize = 8;

/// `GET /products/{id}`.
#[utoipa::path(
    get, path = "/products/{id}", tag = "products", summary = "One product",
    params(("shop_id" = kinds::Id, Query, description = "`available` is what this shop can sell.")),
    responses(One<ProductView<'static>>),
)]
pub(crate) async fn get(
    req: HttpRequest,
    state: Shared,
    id: Path<u64>,
) -> Result<HttpResponse, Problem> {
    let product = find(&state.engine, *id)?;
    let mut params = Params::of(&req);
    let shop = list::shop(&state.engine, &mut params);
    params.finish()?;
    let view = ProductView::of(&state.engine, &product, shop.as_ref());
    Ok(answer::seen(&req, product.version, Cached::Checked, &view))
}

/// `POST /products`.
#[utoipa::path(
    post, path = "/products", tag = "products", summary = "Makes a product",
    request_body = NewProductBody,
    responses(Made<ProductView<'static>>, Conflict),
)]
pub(crate) async fn create(
    req: HttpRequest,
    acting: Acting,
    body: Input<NewProductBody>,
) -> Result<HttpResponse, Problem> {
    let engine = &acting;
    let (new, shops) = body.valid()?.alone()?.into_new(engine)?;
    let created = engine.create_product(new).await;
    let product = created.map_err(|error| body::refused(error, body::locate(&shops)))?;
    done(&req, engine, &product).await
}

/// `PUT /products/{id}`.
#[utoipa::path(
    put, path = "/products/{id}", tag = "products", summary = "Replaces a product",
    params(IfMatch), request_body = ReplaceProductBody,
    responses(Changed<ProductView<'static>>, Conflict, Unconditional),
)]
pub(crate) async fn replace(
    req: HttpRequest,
    acting: Acting,
    id: Path<u64>,
    body: Input<ReplaceProductBody>,
) -> Result<HttpResponse, Problem> {
    let engine = &acting;
    let now = find(engine, *id)?;
    let body = body.valid()?;
    let expected = Expected::of(&req, body.version()).required();
    if now.archived {
        // What is wrong with the body comes first, and that it is stale.
        body.change(&now)?;
        expected.check(now.version)?;
        return Err(archived(now.id));
    }
    change(&req, engine, now, &expected, |now| body.change(now)).await
}

/// `PATCH /products/{id}`: a merge-patch (RFC 7396).
#[utoipa::path(
    patch, path = "/products/{id}", tag = "products", summary = "Changes a product by a merge-patch (RFC 7396)",
    params(IfMatch), request_body = PatchProductBody,
    responses(Changed<ProductView<'static>>, Conflict),
)]
pub(crate) async fn patch(
    req: HttpRequest,
    acting: Acting,
    id: Path<u64>,
    body: Input<PatchProductBody>,
) -> Result<HttpResponse, Problem> {
    let engine = &acting;
    let now = find(engine, *id)?;
    let body = body.valid()?;
    let expected = Expected::of(&req, body.version());
    change(&req, engine, now, &expected, |now| body.change(now)).await
}

/// `DELETE /products/{id}`: takes it off sale. It stays readable, and its sku stays taken.
#[utoipa::path(
    delete, path = "/products/{id}", tag = "products", params(IfMatch),
    responses(Changed<ProductView<'static>>, Conflict, Unconditional),
)]
pub(crate) async fn archive(
    req: HttpRequest,
    acting: Acting,
    id: Path<u64>,
) -> Result<HttpResponse, Problem> {
    let engine = &acting;
    let now = find(engine, *id)?;
    Params::of(&req).finish()?;
    let expected = Expected::of(&req, None).required();
    let version = expected.version(now.version);
    let archived = engine.archive_product(now.id, version).await;
    let product = archived.map_err(|error| expected.explain(error, Problem::from))?;
    done(&req, engine, &product).await
}

/// Changes a product by what `change` makes of the version that is there.
async fn change(
    req: &HttpRequest,
    engine: &Acting,
    mut now: Arc<Product>,
    expected: &Expected,
    change: impl Fn(&Product) -> Result<Change, Problem>,
) -> Result<HttpResponse, Problem> {
    let free = matches!(expected, Expected::Nothing | Expected::Anything);
    for _ in 0..TRIES_MAX {
        let mut wanted = change(&now)?;
        let version = check_total(engine, &now, expected, &mut wanted.change.total)?;
        // The change was made of this version, whatever the caller expects.
        let version = version.or(Some(now.version));
        let changed = engine.change_product(now.id, version, wanted.change).await;
        let error = match changed {
            Ok(product) => return done(req, engine, &product).await,
            Err(error) => error,
        };
        match error {
            Error::Refused(Refusal::VersionConflict { .. }) if free => {
                now = find(engine, now.id.0)?;
            }
            Error::Refused(Refusal::StockChanged { .. }) => return Err(expected.moved(now.version)),
            // What was seen had this version, and other stock.
            Error::Refused(Refusal::VersionConflict { current, .. })
                if expected.version(current) == Some(current) =>
            {
                return Err(expected.moved(current));
            }
            Error::Refused(Refusal::ProductArchived(id)) => return Err(archived(id)),
            error => {
                let locate = body::locate(&wanted.shops);
                return Err(expected.explain(error, |error| body::refused(error, locate)));
            }
        }
    }
    Err(expected.stale(now.version))
}

/// What the caller must have seen before they said what the total should be; the version that the engine must still find.
fn check_total(
    engine: &Engine,
    now: &Product,
    expected: &Expected,
    wanted: &mut Option<StockTotal>,
) -> Result<Option<u32>, Problem> {
    let Some(total) = wanted else { return Ok(expected.version(now.version)) };
    let view = ProductView::of(engine, now, None);
    match expected {
        Expected::Nothing | Expected::Missing | Expected::Anything => {}
        Expected::Tags(_) => {
            // It must be there still when the stock's turn comes.
            total.seen = Some(view.stock());
            let tag = etag::of(now.version, &answer::to_bytes(&view));
            return Ok(expected.version_of_whole(&tag, now.version));
        }
        // A version says nothing about stock: what was sold since would be back on sale.
        Expected::Version(_) if total.wanted != view.stock() => {
            let detail = "a version does not say which stock was seen: send If-Match with the ETag, or leave stock out";
            let (status, code) = (StatusCode::PRECONDITION_REQUIRED, Code::PreconditionRequired);
            let fault = Fault::body("/stock", code, detail);
            return Err(Problem::new(status, code, detail).with_faults(vec![fault]));
        }
        Expected::Version(_) => *wanted = None,
    }
    Ok(expected.version(now.version))
}

/// The answer to a command about a product. Under a key it says what a retry will be told: what there was at the decision.
async fn done(
    req: &HttpRequest,
    acting: &Acting,
    product: &Product,
) -> Result<HttpResponse, Problem> {
    match acting.done_at() {
        Some(at) => replay::answer(req, at).await,
        None => Ok(show(req, product, acting.product_stock(product.id, None))),
    }
}

/// The answer to a command about a product that came to this, with so many on hand and available.
pub(crate) fn show(
    req: &HttpRequest,
    product: &Product,
    stock: (Quantity, Quantity),
) -> HttpResponse {
    let view = ProductView::with(product, stock);
    answer::done_tagged(req, format_args!("/products/{}", product.id), product.version, &view)
}

fn find(engine: &Engine, id: u64) -> Result<Arc<Product>, Problem> {
    let product = engine.catalogue().product(ProductId(id)).cloned();
    product.ok_or_else(|| Problem::not_found("product", id))
}

fn archived(id: ProductId) -> Problem {
    let detail = format!("product {id} is archived; PATCH its status to \"active\" first");
    Problem::new(StatusCode::CONFLICT, Code::ProductArchived, detail)
}
