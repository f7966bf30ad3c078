use std::{collections::HashSet, sync::Arc};

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use stockade_actors::{CatalogueThing, Engine, Error, FirstAnswer};
use stockade_domain::{
    IdempotencyKey, Quantity, Refusal, Sequence,
    catalogue::{CatalogueCommand, Product},
    limits::BATCH_ORDERS_MAX,
};

use utoipa::ToSchema;

use super::{
    TRIES_MAX,
    body::{self, NewProductBody},
    view::ProductView,
};
use crate::{
    answer,
    command::{Acting, Known},
    extract::Input,
    gate::Body,
    openapi::answers::Done,
    problem::Problem,
    refusals::{Named, locating, plain},
    replay::{First, Rows, of_rows},
};

/// `POST /products/batch`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = NewProducts,
    examples(json!({"products": [{"name": "Mug, green", "price": "12.50", "sku": "MUG-GREEN", "stock": 20}]}))
)]
pub(crate) struct BatchBody {
    #[schema(min_items = 1, max_items = 1000)]
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

/// What a row comes to.
enum Draft {
    /// It was carried out before, here.
    Done(Sequence),
    /// The engine is asked.
    Asked(Box<Asked>),
}

/// What the engine is asked for a row.
struct Asked {
    command: CatalogueCommand,
    key: Option<IdempotencyKey>,
    /// The status of its success.
    status: u16,
    /// The shops as the row listed them.
    shops: Vec<u64>,
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
    let own = rows.iter().map(|row| row.idempotency_key.as_deref());
    let keys = acting.row_keys("products", &written, own);
    let mut skus = HashSet::new();
    let mut drafts = Vec::with_capacity(rows.len());
    let mut row_keys = vec![None; rows.len()];
    for (at, (row, own)) in rows.iter().zip(keys).enumerate() {
        let twice = row.sku().is_some_and(|sku| !skus.insert(sku));
        let place = place(at);
        // What a row asks for depends on what is there by now: its key comes first.
        let known = match own {
            Ok(own) => acting.check_row(at, own, &place)?,
            Err(problem) => Err(problem.under(&place)),
        };
        drafts.push(known.and_then(|known| match known {
            Known::Done(at) => Ok(Draft::Done(at)),
            Known::New(_) if twice => {
                Err(Problem::field("/sku", "is in this batch already").under(&place))
            }
            Known::New(key) => {
                row_keys[at] = key;
                draft(&acting, row, key).map_err(|problem| problem.under(&place))
            }
        }));
    }
    let answers = carry_out(&acting, &rows, &mut drafts).await?;
    let done = |row: usize| acting.row_done_at(row_keys[row]);
    let Rows { answers, replayed } = Rows::read(&acting, answers, done, first).await?;
    let shown = |(at, (draft, answer)): (usize, (Result<Draft, Problem>, Result<_, Error>))| {
        let shops = match draft? {
            Draft::Asked(asked) => asked.shops,
            Draft::Done(_) => Vec::new(),
        };
        answer.map_err(|error| {
            let inner = body::locate(&shops);
            let locate = |named: Named<'_>| Some(format!("{}{}", place(at), inner(named)?));
            body::refused(error, locate)
        })
    };
    let answers: Vec<_> = drafts.into_iter().zip(answers).enumerate().map(shown).collect();
    let results = answers.iter().map(Row::of).collect();
    Ok(of_rows(replayed, answer::ok(&Results { results })))
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

/// The pointer of a row.
fn place(at: usize) -> String {
    format!("/products/{at}")
}

/// Has the engine do what it is asked, and says for each row what came of it. A row that was to make a product whose sku another
/// request took meanwhile is drafted again: it is a change now.
async fn carry_out(
    acting: &Acting,
    rows: &[NewProductBody],
    drafts: &mut [Result<Draft, Problem>],
) -> Result<Vec<Result<Changed, Error>>, Problem> {
    // A row that is wrong has its problem already.
    let known = |draft: &Result<Draft, Problem>| match draft {
        Ok(Draft::Done(at)) => Err(Error::AlreadyDone { at: *at }),
        _ => Err(Error::Panicked),
    };
    let mut answers: Vec<Result<Changed, Error>> = drafts.iter().map(known).collect();
    let mut open: Vec<usize> = (0..rows.len()).collect();
    for attempt in 1..=TRIES_MAX {
        let asked = open.into_iter().filter_map(|at| match &drafts[at] {
            Ok(Draft::Asked(asked)) => Some((at, asked)),
            _ => None,
        });
        let asked: Vec<_> = asked.collect();
        if asked.is_empty() && attempt > 1 {
            break;
        }
        let commands = asked.iter().map(|(_, asked)| (asked.command.clone(), asked.key)).collect();
        let changed = match acting.change_catalogue_keyed(commands).await {
            // The others were carried out by then.
            Err(error) if attempt > 1 => vec![Err(error); asked.len()],
            changed => changed.map_err(locating(plain))?,
        };
        let mut taken = Vec::new();
        for ((at, asked), changed) in asked.into_iter().zip(changed) {
            answers[at] = match changed {
                Ok(CatalogueThing::Product(product)) => {
                    let stock = acting.product_stock(product.id, None);
                    Ok(Changed { status: asked.status, product, stock })
                }
                Ok(_) => Err(Error::Panicked),
                Err(error) => {
                    let is_taken = matches!(error, Error::Refused(Refusal::SkuTaken(_)));
                    taken.extend(is_taken.then_some((at, asked.key)));
                    Err(error)
                }
            };
        }
        open = taken.iter().map(|(at, _)| *at).collect();
        for (at, key) in taken {
            drafts[at] = draft(acting, &rows[at], key).map_err(|problem| problem.under(&place(at)));
        }
    }
    Ok(answers)
}

/// What a row asks for, as things are.
fn draft(
    engine: &Engine,
    row: &NewProductBody,
    key: Option<IdempotencyKey>,
) -> Result<Draft, Problem> {
    let known = row.sku().and_then(|sku| engine.catalogue().product_by_sku(sku).cloned());
    let (command, status, shops) = match known {
        None => {
            let (new, shops) = row.clone().into_new(engine)?;
            (CatalogueCommand::CreateProduct(new), 201, shops)
        }
        Some(now) => {
            let wanted = row.clone().change(&now)?;
            let (id, change) = (now.id, wanted.change);
            (CatalogueCommand::ChangeProduct { id, expected: None, change }, 200, wanted.shops)
        }
    };
    Ok(Draft::Asked(Box::new(Asked { command, key, status, shops })))
}
