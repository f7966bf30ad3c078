use std::{collections::HashSet, sync::Arc};

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use stockade_actors::{CatalogueThing, Engine, Error};
use stockade_domain::{
    catalogue::{CatalogueCommand, Product},
    limits::BATCH_ORDERS_MAX,
};

use super::{
    body::{self, NewProductBody},
    view::ProductView,
};
use crate::{
    answer,
    extract::Input,
    problem::Problem,
    refusals::{Named, Request, explain, locating, plain},
    state::Shared,
};

/// `POST /products/batch`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchBody {
    products: Vec<NewProductBody>,
}

#[derive(Serialize)]
struct Results<'a> {
    results: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    product: Option<ProductView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
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

/// What a row comes to: a command, the status of its success, and the shops as it listed them.
struct Draft {
    command: CatalogueCommand,
    status: u16,
    shops: Vec<u64>,
}

/// `POST /products/batch`: products by their skus, those that are there changed and the others created, each by itself, with one
/// wait for the disk.
pub(crate) async fn change_many(
    state: Shared,
    body: Input<BatchBody>,
) -> Result<HttpResponse, Problem> {
    let rows = body.valid()?.products;
    if rows.is_empty() || rows.len() > BATCH_ORDERS_MAX {
        let detail = format!("must have 1 to {BATCH_ORDERS_MAX} entries");
        return Err(Problem::field("/products", detail));
    }
    let engine = &state.engine;
    let mut skus = HashSet::new();
    let mut commands = Vec::with_capacity(rows.len());
    let mut drafts = Vec::with_capacity(rows.len());
    for row in rows {
        let twice = row.sku().is_some_and(|sku| !skus.insert(sku.to_owned()));
        let draft = match twice {
            true => Err(Problem::field("/sku", "is in this batch already")),
            false => draft(engine, row),
        };
        drafts.push(draft.map(|Draft { command, status, shops }| {
            commands.push(command);
            (status, shops)
        }));
    }
    let changed = engine.change_catalogue_many(commands).await.map_err(locating(plain))?;
    let mut changed = changed.into_iter();
    // A row that was not even asked for has its problem already; the others have the engine's answer, in order.
    let answers: Vec<Result<_, Problem>> = drafts
        .into_iter()
        .enumerate()
        .map(|(at, draft)| {
            let place = format!("/products/{at}");
            let (status, shops) = draft.map_err(|problem| problem.under(&place))?;
            match changed.next().unwrap_or(Err(Error::Panicked)) {
                Ok(CatalogueThing::Product(product)) => Ok((status, product)),
                Ok(_) => Err(Error::Panicked.into()),
                Err(error) => {
                    let inner = body::locate(&shops);
                    let locate = |named: Named<'_>| Some(format!("{place}{}", inner(named)?));
                    Err(explain(error, &Request { locate: &locate, currency: None }))
                }
            }
        })
        .collect();
    let results = answers.iter().map(|answer| Row::of(engine, answer)).collect();
    Ok(answer::ok(&Results { results }))
}

fn draft(engine: &Engine, row: NewProductBody) -> Result<Draft, Problem> {
    let known = row.sku().and_then(|sku| engine.catalogue().product_by_sku(sku).cloned());
    match known {
        None => {
            let (new, shops) = row.into_new(engine)?;
            Ok(Draft { command: CatalogueCommand::CreateProduct(new), status: 201, shops })
        }
        Some(now) => {
            let mut wanted = row.change(&now)?;
            if let Some(total) = wanted.stock {
                let (there, _) = engine.product_stock(now.id, None);
                wanted.recount(now.id, there, total)?;
            }
            let (id, change) = (now.id, wanted.change);
            let command = CatalogueCommand::ChangeProduct { id, expected: None, change };
            Ok(Draft { command, status: 200, shops: wanted.shops })
        }
    }
}
