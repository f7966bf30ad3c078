use std::{collections::HashSet, sync::Arc};

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use stockade_actors::{CatalogueThing, Engine, Error, FirstAnswer};
use stockade_domain::{
    catalogue::{CatalogueCommand, Product},
    limits::BATCH_ORDERS_MAX,
};

use utoipa::ToSchema;

use super::{
    body::{self, NewProductBody},
    view::ProductView,
};
use crate::{
    answer,
    command::Acting,
    extract::Input,
    gate::Body,
    openapi::{answers::Done, rows::NewProductRow},
    problem::Problem,
    refusals::{Named, Request, explain, locating, plain},
    replay::of_rows,
};

/// `POST /products/batch`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = NewProducts,
    examples(json!({"products": [{"name": "Mug, green", "price": "12.50", "sku": "MUG-GREEN", "stock": 20}]}))
)]
pub(crate) struct BatchBody {
    #[schema(value_type = Vec<NewProductRow>, min_items = 1, max_items = 1000)]
    products: Vec<NewProductBody>,
}

#[derive(Serialize, ToSchema)]
#[schema(
    as = ProductResults,
    examples(json!({"results": [{"status": 201, "product": {"id": 1, "sku": "MUG-BLUE", "name": "Mug, blue", "description": "", "price": "12.50", "currency": "USD", "status": "active", "stock": 65, "available": 62, "shop_ids": [], "attributes": {"colour": "blue"}, "reference": null, "metadata": {}, "created_at": "2026-01-31T12:00:00.000Z", "updated_at": "2026-01-31T12:00:00.000Z", "version": 1}}]}))
)]
pub(crate) struct Results<'a> {
    results: Vec<Row<'a>>,
}

#[derive(Serialize, ToSchema)]
#[schema(
    as = ProductResult,
    examples(json!({"status": 201, "product": {"id": 1, "sku": "MUG-BLUE", "name": "Mug, blue", "description": "", "price": "12.50", "currency": "USD", "status": "active", "stock": 65, "available": 62, "shop_ids": [], "attributes": {"colour": "blue"}, "reference": null, "metadata": {}, "created_at": "2026-01-31T12:00:00.000Z", "updated_at": "2026-01-31T12:00:00.000Z", "version": 1}}))
)]
struct Row<'a> {
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = ProductView<'a>, required = false)]
    product: Option<ProductView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Problem, required = false)]
    error: Option<&'a Problem>,
}

impl<'a> Row<'a> {
    fn of(engine: &Engine, answer: &'a Result<(u16, Arc<Product>), Problem>) -> Self {
        match answer {
            Ok((status, product)) => {
                let product = Some(ProductView::of(engine, product, None));
                Self { status: *status, product, error: None }
            }
            Err(error) => {
                Self { status: error.status().as_u16(), product: None, error: Some(error) }
            }
        }
    }
}

/// `POST /products/batch`: products by their skus, those that are there changed and the others created, each by itself, with one
/// wait for the disk.
#[utoipa::path(
    post, path = "/products/batch", tag = "products", summary = "Creates products, or changes those whose sku is there; each by itself",
    request_body = BatchBody,
    responses(Done<Results<'static>>),
)]
pub(crate) async fn change_many(
    acting: Acting,
    body: Input<BatchBody>,
    written: Body,
) -> Result<HttpResponse, Problem> {
    let rows = body.valid()?.products;
    if rows.is_empty() || rows.len() > BATCH_ORDERS_MAX {
        let detail = format!("must have 1 to {BATCH_ORDERS_MAX} entries");
        return Err(Problem::field("/products", detail));
    }
    let mut skus = HashSet::new();
    let is_new = |row: &NewProductBody| row.sku().is_none_or(|sku| skus.insert(sku.to_owned()));
    let is_first: Vec<bool> = rows.iter().map(is_new).collect();
    let draft = |at: usize, row: NewProductBody| match is_first[at] {
        true => draft(&acting, row),
        false => Err(Problem::field("/sku", "is in this batch already")),
    };
    let (commands, rows) = acting.each("products", rows, &written, NewProductBody::key, draft)?;
    let changed = acting.change_catalogue_keyed(commands).await.map_err(locating(plain))?;
    let told = changed.into_iter().zip(rows.asked()).map(|(thing, asked)| match thing? {
        CatalogueThing::Product(product) => Ok((asked.status, product)),
        _ => Err(Error::Panicked),
    });
    let told: Vec<_> = told.collect();
    let refused = |error, at, asked: &Asked| {
        let inner = body::locate(&asked.shops);
        let locate = |named: Named<'_>| Some(format!("/products/{at}{}", inner(named)?));
        explain(error, &Request { locate: &locate, currency: None })
    };
    let (answers, replayed) = rows.answers(&acting, told, first, refused).await?;
    let results = answers.iter().map(|answer| Row::of(&acting, answer)).collect();
    Ok(of_rows(replayed, answer::ok(&Results { results })))
}

/// What the engine is asked for a row.
struct Asked {
    /// The status of its success.
    status: u16,
    /// The shops as the row listed them.
    shops: Vec<u64>,
}

/// What a row was answered before. A product that was made has its first version.
fn first(first: FirstAnswer) -> Option<(u16, Arc<Product>)> {
    match first {
        FirstAnswer::Catalogue(CatalogueThing::Product(product)) => {
            Some((if product.version == 1 { 201 } else { 200 }, product))
        }
        _ => None,
    }
}

fn draft(engine: &Engine, row: NewProductBody) -> Result<(CatalogueCommand, Asked), Problem> {
    let known = row.sku().and_then(|sku| engine.catalogue().product_by_sku(sku).cloned());
    match known {
        None => {
            let (new, shops) = row.into_new(engine)?;
            Ok((CatalogueCommand::CreateProduct(new), Asked { status: 201, shops }))
        }
        Some(now) => {
            let mut wanted = row.change(&now)?;
            if let Some(total) = wanted.stock {
                let (there, _) = engine.product_stock(now.id, None);
                wanted.recount(now.id, there, total)?;
            }
            let (id, change) = (now.id, wanted.change);
            let command = CatalogueCommand::ChangeProduct { id, expected: None, change };
            Ok((command, Asked { status: 200, shops: wanted.shops }))
        }
    }
}
