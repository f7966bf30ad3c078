use std::{collections::HashSet, sync::Arc};

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use stockade_actors::{CatalogueThing, Engine, Error, FirstAnswer};
use stockade_domain::{
    IdempotencyKey, Quantity, Refusal,
    catalogue::{CatalogueCommand, Product},
    limits::BATCH_ORDERS_MAX,
};

use utoipa::ToSchema;

use super::{
    TRIES_MAX,
    body::{self, ProductRow},
    view::ProductView,
};
use crate::{
    answer,
    command::Acting,
    extract::Input,
    openapi::{answers::Done, rows::NewProductRow},
    problem::Problem,
    refusals::{Named, locating, plain},
    replay::{First, of_rows},
    rows::{Each, Sent},
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
    products: Vec<Box<RawValue>>,
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
    fn of(answer: &'a Result<Changed, Problem>) -> Self {
        match answer {
            Ok(Changed { status, product, stock }) => {
                let product = Some(ProductView::with(product, *stock));
                Self { status: *status, product, error: None }
            }
            Err(error) => {
                Self { status: error.status().as_u16(), product: None, error: Some(error) }
            }
        }
    }
}

/// A product that a row made or changed, with what was on hand and available of it.
struct Changed {
    status: u16,
    product: Arc<Product>,
    stock: (Quantity, Quantity),
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
) -> Result<HttpResponse, Problem> {
    let rows = body.valid()?.products;
    if rows.is_empty() || rows.len() > BATCH_ORDERS_MAX {
        let detail = format!("must have 1 to {BATCH_ORDERS_MAX} entries");
        return Err(Problem::field("/products", detail));
    }
    let rows = Sent::read("products", rows);
    let mut skus = HashSet::new();
    let mut is_new = |sku: &str| skus.insert(sku.to_owned());
    let sku = |row: Option<&ProductRow>| row.and_then(ProductRow::sku).is_none_or(&mut is_new);
    let is_first: Vec<bool> = rows.rows().map(sku).collect();
    let draft = |at: usize, row: ProductRow| match is_first[at] {
        true => draft(&acting, row),
        false => Err(Problem::field("/sku", "is in this batch already")),
    };
    let (commands, mut rows) = acting.each(rows, ProductRow::key, draft)?;
    let told = carry_out(&acting, commands, &mut rows).await?;
    let done = |key| acting.row_done_at(key);
    let refused = |error, at, asked: &Asked| {
        let inner = body::locate(&asked.shops);
        body::refused(error, |named: Named<'_>| Some(format!("/products/{at}{}", inner(named)?)))
    };
    let (answers, replayed) = rows.answers(&acting, told, done, first, refused).await?;
    let results = answers.iter().map(Row::of).collect();
    Ok(of_rows(replayed, answer::ok(&Results { results })))
}

/// What the engine is asked for a row.
struct Asked {
    /// As it was sent.
    row: ProductRow,
    /// The status of its success.
    status: u16,
    /// The shops as the row listed them.
    shops: Vec<u64>,
}

/// What a row was answered before. A product that was made has its first version.
fn first(first: First) -> Option<Changed> {
    match first {
        First::Other(FirstAnswer::Product { product, on_hand, available }) => {
            let status = if product.version == 1 { 201 } else { 200 };
            Some(Changed { status, product, stock: (on_hand, available) })
        }
        _ => None,
    }
}

/// Has the engine do what it is asked, and says for each row what came of it. A row that was to make a product whose sku another
/// request took meanwhile is drafted again, as a change; so is a change of what was changed meanwhile.
async fn carry_out(
    acting: &Acting,
    commands: Vec<(CatalogueCommand, Option<IdempotencyKey>)>,
    rows: &mut Each<Asked>,
) -> Result<Vec<Result<Changed, Error>>, Problem> {
    let mut asked: Vec<&mut Asked> = rows.asked().collect();
    let mut told: Vec<Result<Changed, Error>> =
        commands.iter().map(|_| Err(Error::Panicked)).collect();
    let mut open: Vec<_> = commands.into_iter().enumerate().collect();
    for attempt in 1..=TRIES_MAX {
        let (places, commands): (Vec<usize>, Vec<_>) = open.into_iter().unzip();
        let keys: Vec<_> = commands.iter().map(|(_, key)| *key).collect();
        let changed = match acting.change_catalogue_keyed(commands).await {
            // The others were carried out by then.
            Err(error) if attempt > 1 => vec![Err(error); places.len()],
            changed => changed.map_err(locating(plain))?,
        };
        open = Vec::new();
        for ((at, key), changed) in places.into_iter().zip(keys).zip(changed) {
            told[at] = match changed {
                Ok(CatalogueThing::Product(product)) => {
                    let stock = acting.product_stock(product.id, None);
                    Ok(Changed { status: asked[at].status, product, stock })
                }
                Ok(_) => Err(Error::Panicked),
                Err(error) => Err(error),
            };
            let moved = |refusal: &Refusal| {
                matches!(refusal, Refusal::SkuTaken(_) | Refusal::VersionConflict { .. })
            };
            if matches!(&told[at], Err(Error::Refused(refusal)) if moved(refusal))
                && let Ok((command, again)) = draft(acting, asked[at].row.clone())
            {
                *asked[at] = again;
                open.push((at, (command, key)));
            }
        }
        if open.is_empty() {
            break;
        }
    }
    Ok(told)
}

/// What a row asks for, as things are.
fn draft(engine: &Engine, row: ProductRow) -> Result<(CatalogueCommand, Asked), Problem> {
    let known = row.sku().and_then(|sku| engine.catalogue().product_by_sku(sku).cloned());
    let (command, status, shops) = match known {
        None => {
            let (new, shops) = row.clone().into_new()?.into_new(engine)?;
            (CatalogueCommand::CreateProduct(new), 201, shops)
        }
        Some(now) => {
            let wanted = row.clone().into_patch().change(&now)?;
            let (id, expected, change) = (now.id, Some(now.version), wanted.change);
            (CatalogueCommand::ChangeProduct { id, expected, change }, 200, wanted.shops)
        }
    };
    Ok((command, Asked { row, status, shops }))
}
