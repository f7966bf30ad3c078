//! `/products`: what is sold.

mod batch;
mod body;
mod list;
mod view;

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Path};
use stockade_actors::{Engine, Error};
use stockade_domain::{ProductId, Refusal, WarehouseId, catalogue::Product};

use crate::{
    answer::{self, Cached},
    command::Acting,
    etag::{self, Expected},
    extract::Input,
    openapi::{
        answers::{Changed, Conflict, IfMatch, Made, One, Unconditional},
        kinds,
    },
    problem::{Code, Problem},
    query::Params,
    refusals::locating,
    state::Shared,
};
pub(crate) use batch::{__path_change_many, Results, change_many};
pub(crate) use body::NewProductBody;
use body::{Change, PatchProductBody, ReplaceProductBody};
pub(crate) use list::{__path_list, list};
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
    let product = created.map_err(locating(body::locate(&shops)))?;
    Ok(done(&req, engine, &product))
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
    let expected = Expected::of(&req, body.version()).required()?;
    if now.archived {
        // That it is stale comes first.
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
    let expected = Expected::of(&req, None).required()?;
    let version = expected.check(now.version)?;
    let archived = engine.archive_product(now.id, version).await;
    let product = archived.map_err(|error| expected.explain(error, Problem::from))?;
    Ok(done(&req, engine, &product))
}

/// Changes a product by what `change` makes of the version that is there.
async fn change(
    req: &HttpRequest,
    engine: &Engine,
    mut now: Arc<Product>,
    expected: &Expected,
    change: impl Fn(&Product) -> Result<Change, Problem>,
) -> Result<HttpResponse, Problem> {
    let free = matches!(expected, Expected::Nothing | Expected::Anything);
    for _ in 0..TRIES_MAX {
        let mut wanted = change(&now)?;
        match wanted.stock {
            // The difference is from the total that the caller saw, so that the caller must have seen this one.
            Some(total) => {
                let view = ProductView::of(engine, &now, None);
                let tag = etag::of(now.version, &answer::to_bytes(&view));
                expected.check_whole(&tag, now.version)?;
                wanted.recount(now.id, view.stock(), total)?;
            }
            None => drop(expected.check(now.version)?),
        }
        let changed = engine.change_product(now.id, Some(now.version), wanted.change).await;
        let error = match changed {
            Ok(product) => return Ok(done(req, engine, &product)),
            Err(error) => error,
        };
        match error {
            Error::Refused(Refusal::VersionConflict { .. }) if free => {
                now = find(engine, now.id.0)?;
            }
            Error::Refused(Refusal::ProductArchived(id)) => return Err(archived(id)),
            error => {
                return Err(expected.explain(error, locating(body::locate(&wanted.shops))));
            }
        }
    }
    Err(expected.stale(now.version))
}

/// The answer to a command about a product.
pub(crate) fn done(req: &HttpRequest, engine: &Engine, product: &Arc<Product>) -> HttpResponse {
    let view = ProductView::of(engine, product, None);
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
