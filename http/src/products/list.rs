use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use actix_web::{HttpRequest, HttpResponse, web};
use stockade_actors::Engine;
use stockade_domain::{
    Amount, Currency, ProductId, Quantity, ShopId,
    catalogue::{Product, Shop},
};

use super::view::ProductView;
use crate::{
    answer,
    caller::Caller,
    money,
    openapi::{
        answers::{Many, Paging},
        kinds,
    },
    page::{List, Page, Top},
    problem::{Code, Problem},
    query::Params,
    state::Shared,
};

/// Products looked at under one lock of the catalogue: a long list never holds up the engine.
const CHUNK: usize = 1_024;

/// The most different words of a search: each is looked for in all of every product.
pub(crate) const WORDS_MAX: usize = 16;

/// The longest search, in bytes.
pub(crate) const SEARCH_MAX: usize = 256;

/// The most skus that are asked for at once.
pub(crate) const SKUS_MAX: usize = 100;

/// What a list is sorted by. The id breaks ties, so that a cursor is exact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Number(u64),
    Text(Box<str>),
}

type Rank = (Key, u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Id,
    Name,
    Price,
    CreatedAt,
}

/// Which products are asked for.
struct Filter {
    ids: Option<Vec<u64>>,
    words: BTreeSet<String>,
    skus: HashSet<String>,
    shop: Option<Arc<Shop>>,
    /// Nothing is both.
    archived: Option<bool>,
    in_stock: Option<bool>,
    currency: Option<Currency>,
    price_min: Option<Amount>,
    price_max: Option<Amount>,
}

/// `GET /products`.
#[utoipa::path(
    get, path = "/products", tag = "products", summary = "A page of products",
    params(
        Paging,
        ("ids" = kinds::Ids, Query, description = "Just these: all of them are one page unless `limit` says otherwise."),
        ("q" = kinds::Search, Query, description = "Words that are all in name, sku or description."),
        ("sku" = kinds::Skus, Query, description = "Products with one of these skus."),
        ("shop_id" = kinds::Id, Query, description = "Sold by this shop, in its currency; `available` is then what it can sell."),
        ("status" = super::body::Status, Query, description = "`active` unless said otherwise; with `ids`, either."),
        ("in_stock" = bool, Query, description = "With something available, or without."),
        ("currency" = crate::money::Code, Query, description = "Priced in this currency."),
        ("min_price" = kinds::PriceBound, Query, description = "Prices from here; needs `currency` when the catalogue has several."),
        ("max_price" = kinds::PriceBound, Query, description = "Prices up to here."),
        ("sort" = kinds::ProductSort, Query, description = "`id` unless said otherwise; `-` in front turns it round."),
    ),
    responses(Many<ProductView<'static>>),
)]
pub(crate) async fn list(
    req: HttpRequest,
    state: Shared,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&req);
    let (page, ids) = Page::with_ids(&req, &mut params);
    let (sort, descending) = sort(&mut params);
    let after = page.after(&mut params, |bytes| read_rank(bytes, sort));
    let filter = Filter::of(&state.engine, &mut params, ids, sort);
    params.finish()?;
    if filter.archived == Some(true) && !caller.is_staff() {
        // Only staff are shown what is not for sale.
        return Ok(answer::ok(&List::<()> { data: Vec::new(), next_cursor: None }));
    }
    let shop = filter.shop.clone();
    let (wanted, engine) = (page.look_for(), state.engine.clone());
    let search = move || filter.search(&engine, wanted, (sort, descending), after);
    let found = web::block(search).await.map_err(Problem::no_thread)?;
    let view = |row| ProductView::of(&state.engine, row, shop.as_ref());
    Ok(page.answer(&req, &found, |(rank, _)| write_rank(rank), |(_, product)| view(product)))
}

/// Takes `shop_id`: what is available is what this shop can sell.
pub(crate) fn shop(engine: &Engine, params: &mut Params) -> Option<Arc<Shop>> {
    let id = params.id("shop_id")?;
    let shop = engine.catalogue().shop(ShopId(id)).cloned();
    if shop.is_err() {
        params.fault("shop_id", Code::Invalid, format!("shop {id} does not exist"));
    }
    shop.ok()
}

fn sort(params: &mut Params) -> (Sort, bool) {
    let wanted = "id, name, price or created_at, perhaps with - in front";
    let sort = params.read("sort", wanted, |text| {
        let (name, descending) = match text.strip_prefix('-') {
            Some(name) => (name, true),
            None => (text, false),
        };
        let sort = match name {
            "id" => Sort::Id,
            "name" => Sort::Name,
            "price" => Sort::Price,
            "created_at" => Sort::CreatedAt,
            _ => return None,
        };
        Some((sort, descending))
    });
    sort.unwrap_or((Sort::Id, false))
}

/// The words of a search, each once.
fn words(params: &mut Params) -> BTreeSet<String> {
    let search = params.one("q").unwrap_or_default();
    if search.len() > SEARCH_MAX {
        params.fault("q", Code::Invalid, format!("must be at most {SEARCH_MAX} bytes"));
        return BTreeSet::new();
    }
    let words: BTreeSet<_> = search.to_lowercase().split_whitespace().map(str::to_owned).collect();
    if words.len() > WORDS_MAX {
        params.fault("q", Code::Invalid, format!("must be at most {WORDS_MAX} different words"));
    }
    words
}

/// The skus that are asked for, each once.
fn skus(params: &mut Params) -> HashSet<String> {
    let skus = params.all("sku");
    if skus.len() > SKUS_MAX {
        params.fault("sku", Code::Invalid, format!("must be there at most {SKUS_MAX} times"));
    }
    skus.into_iter().collect()
}

impl Sort {
    fn rank(self, product: &Product) -> Rank {
        let key = match self {
            Self::Id => Key::Number(0),
            Self::Name => Key::Text(product.name.clone()),
            // Prices are not negative.
            Self::Price => Key::Number(product.price.unsigned_abs()),
            Self::CreatedAt => Key::Number(product.created_at.0),
        };
        (key, product.id.0)
    }
}

fn write_rank((key, id): &Rank) -> Vec<u8> {
    let mut bytes = id.to_be_bytes().to_vec();
    match key {
        Key::Number(number) => bytes.extend_from_slice(&number.to_be_bytes()),
        Key::Text(text) => bytes.extend_from_slice(text.as_bytes()),
    }
    bytes
}

fn read_rank(bytes: &[u8], sort: Sort) -> Option<Rank> {
    let (id, key) = bytes.split_first_chunk::<8>()?;
    let key = match sort {
        Sort::Name => Key::Text(std::str::from_utf8(key).ok()?.into()),
        _ => Key::Number(u64::from_be_bytes(key.try_into().ok()?)),
    };
    Some((key, u64::from_be_bytes(*id)))
}

impl Filter {
    fn of(engine: &Engine, params: &mut Params, ids: Option<Vec<u64>>, sort: Sort) -> Self {
        let wanted = "active or archived";
        let archived = params.read("status", wanted, |status| match status {
            "active" => Some(false),
            "archived" => Some(true),
            _ => None,
        });
        let currency = params.read("currency", "a currency of ISO 4217", |code| code.parse().ok());
        let (low, high) = (params.one("min_price"), params.one("max_price"));
        let mut filter = Self {
            words: words(params),
            skus: skus(params),
            shop: shop(engine, params),
            // Who names one is shown it as it is.
            archived: archived.or(ids.is_none().then_some(false)),
            ids,
            in_stock: params.flag("in_stock"),
            currency,
            price_min: None,
            price_max: None,
        };
        if low.is_some() || high.is_some() || sort == Sort::Price {
            filter.set_prices(engine, params, low, high);
        }
        filter
    }

    /// Prices are compared in one currency: the only one, or the one that is named.
    fn set_prices(
        &mut self,
        engine: &Engine,
        params: &mut Params,
        low: Option<String>,
        high: Option<String>,
    ) {
        let currency = match self.currency.map_or_else(|| only_currency(engine), Ok) {
            Ok(currency) => currency,
            Err(()) => {
                let detail = "is needed to compare prices: the catalogue has several currencies";
                return params.fault("currency", Code::Invalid, detail);
            }
        };
        for (name, text, bound) in
            [("min_price", low, &mut self.price_min), ("max_price", high, &mut self.price_max)]
        {
            match text.map(|text| money::amount(&text, currency)) {
                Some(Ok(amount)) => *bound = Some(amount),
                Some(Err(detail)) => params.fault(name, Code::Invalid, detail),
                None => {}
            }
        }
    }

    /// The first products in the order, behind `after`.
    fn search(
        &self,
        engine: &Engine,
        wanted: usize,
        (sort, descending): (Sort, bool),
        after: Option<Rank>,
    ) -> Vec<(Rank, Arc<Product>)> {
        let first = match (&after, sort, descending) {
            (Some((_, id)), Sort::Id, false) => *id,
            _ => 0,
        };
        let mut top = Top::new(wanted, descending, after);
        let mut found = 0;
        let mut offer = |product: &Arc<Product>| {
            if self.fits(engine, product) {
                top.offer(sort.rank(product), product.clone());
                found += 1;
            }
            // By id, the first that fit are the page.
            descending || sort != Sort::Id || found < wanted
        };
        match &self.ids {
            None => each(engine, first, offer),
            Some(ids) => {
                let named = ids.iter().filter(|id| **id > first);
                let product = |id: &u64| engine.catalogue().product(ProductId(*id)).cloned();
                let _ = named.filter_map(product).all(|product| offer(&product));
            }
        }
        top.into_rows()
    }

    fn fits(&self, engine: &Engine, product: &Product) -> bool {
        let sold = |shop: &Arc<Shop>| {
            (product.shops.is_empty() || product.shops.contains(&shop.id))
                && product.currency == shop.currency
        };
        self.archived.is_none_or(|wanted| wanted == product.archived)
            && (self.skus.is_empty() || self.skus.contains(&*product.sku))
            && self.shop.as_ref().is_none_or(sold)
            && self.currency.is_none_or(|currency| product.currency == currency)
            && self.price_min.is_none_or(|low| product.price >= low)
            && self.price_max.is_none_or(|high| product.price <= high)
            && self.has_words(product)
            && self.in_stock.is_none_or(|wanted| wanted == (self.available(engine, product) > 0))
    }

    fn has_words(&self, product: &Product) -> bool {
        if self.words.is_empty() {
            return true;
        }
        let text = format!("{}\n{}\n{}", product.name, product.sku, product.description);
        let text = text.to_lowercase();
        self.words.iter().all(|word| text.contains(word.as_str()))
    }

    fn available(&self, engine: &Engine, product: &Product) -> Quantity {
        engine.product_stock(product.id, self.shop.as_ref()).1
    }
}

/// Visits products by id, until `visit` has had enough.
fn each(engine: &Engine, mut after: u64, mut visit: impl FnMut(&Arc<Product>) -> bool) {
    loop {
        let chunk: Vec<Arc<Product>> =
            engine.catalogue().products_after(after).take(CHUNK).cloned().collect();
        let Some(last) = chunk.last() else { return };
        after = last.id.0;
        if !chunk.iter().all(&mut visit) {
            return;
        }
    }
}

/// The catalogue's currency, if it has but one; an empty one has any.
fn only_currency(engine: &Engine) -> Result<Currency, ()> {
    let mut only = None;
    let mut several = false;
    each(engine, 0, |product| {
        several = *only.get_or_insert(product.currency) != product.currency;
        !several
    });
    if several { Err(()) } else { Ok(only.unwrap_or(Currency::USD)) }
}
