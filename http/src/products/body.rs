use std::collections::BTreeSet;

use serde::Deserialize;
use stockade_actors::{Engine, Error};
use stockade_domain::{
    Quantity, Refusal, ShopId,
    catalogue::{Attributes, NewProduct, Product, ProductChange, StockTotal},
};

use super::DEFAULT_WAREHOUSE;
use utoipa::ToSchema;

use crate::{
    fields::{Entries, Patch, ReadOnly, Texts, TextsPatch, not_null},
    money::{Code, Decimal},
    openapi::kinds,
    problem::Problem,
    refusals::{Named, locating},
    shops::default_currency,
};

/// `POST /products`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = NewProduct,
    examples(json!({"name": "Mug, blue", "price": "12.50", "sku": "MUG-BLUE", "stock": 40, "attributes": {"colour": "blue"}}))
)]
pub(crate) struct NewProductBody {
    #[schema(value_type = kinds::Text)]
    name: String,
    #[schema(value_type = kinds::Price)]
    price: Decimal,
    currency: Option<Code>,
    #[schema(value_type = Option<kinds::Text>)]
    sku: Option<String>,
    #[schema(value_type = Option<kinds::LongText>)]
    description: Option<String>,
    #[schema(value_type = Option<kinds::Units>)]
    stock: Option<Quantity>,
    #[schema(value_type = Option<Vec<kinds::Id>>)]
    shop_ids: Option<Vec<u64>>,
    attributes: Option<Texts>,
    #[schema(value_type = Option<kinds::Text>)]
    reference: Option<String>,
    metadata: Option<Texts>,
    /// Of a row of a batch: there the document has it, too.
    #[schema(ignore)]
    idempotency_key: Option<String>,
}

/// A row of `POST /products/batch`: a new product, or a merge-patch of the one that has its sku.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    examples(json!({"sku": "MUG-BLUE", "price": "11.00", "attributes": {"colour": null}}))
)]
pub(crate) struct ProductRow {
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = kinds::Text)]
    name: Option<String>,
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = kinds::Price)]
    price: Option<Decimal>,
    currency: Option<Code>,
    #[schema(value_type = Option<kinds::Text>)]
    sku: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<kinds::LongText>)]
    description: Patch<String>,
    #[schema(value_type = Option<kinds::Units>)]
    stock: Option<Quantity>,
    #[serde(default)]
    #[schema(value_type = Option<Vec<kinds::Id>>)]
    shop_ids: Patch<Vec<u64>>,
    #[serde(default)]
    #[schema(value_type = Option<TextsPatch>)]
    attributes: Patch<TextsPatch>,
    #[serde(default)]
    #[schema(value_type = Option<kinds::Text>)]
    reference: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<TextsPatch>)]
    metadata: Patch<TextsPatch>,
    /// The document has it with all rows.
    #[schema(ignore)]
    idempotency_key: Option<String>,
}

/// `PUT /products/{id}`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = ReplaceProduct,
    examples(json!({"name": "Mug, dark blue", "price": "13.00"}))
)]
pub(crate) struct ReplaceProductBody {
    #[schema(value_type = kinds::Text)]
    name: String,
    #[schema(value_type = kinds::Price)]
    price: Decimal,
    currency: Option<Code>,
    #[schema(value_type = Option<kinds::Text>)]
    sku: Option<String>,
    #[schema(value_type = Option<kinds::LongText>)]
    description: Option<String>,
    #[schema(value_type = Option<kinds::OnHand>)]
    stock: Option<Quantity>,
    #[schema(value_type = Option<Vec<kinds::Id>>)]
    shop_ids: Option<Vec<u64>>,
    attributes: Option<Texts>,
    #[schema(value_type = Option<kinds::Text>)]
    reference: Option<String>,
    metadata: Option<Texts>,
    #[schema(value_type = Option<kinds::Version>)]
    version: Option<u32>,
    #[serde(rename = "id", default)]
    _id: ReadOnly,
    #[serde(rename = "status", default)]
    _status: ReadOnly,
    #[serde(rename = "available", default)]
    _available: ReadOnly,
    #[serde(rename = "created_at", default)]
    _created_at: ReadOnly,
    #[serde(rename = "updated_at", default)]
    _updated_at: ReadOnly,
}

/// `PATCH /products/{id}`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = PatchProduct,
    examples(json!({"price": "11.00", "attributes": {"colour": null}}))
)]
pub(crate) struct PatchProductBody {
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = kinds::Text)]
    name: Option<String>,
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = kinds::Price)]
    price: Option<Decimal>,
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Code)]
    currency: Option<Code>,
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = kinds::Text)]
    sku: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<kinds::LongText>)]
    description: Patch<String>,
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = kinds::OnHand)]
    stock: Option<Quantity>,
    #[serde(default)]
    #[schema(value_type = Option<Vec<kinds::Id>>)]
    shop_ids: Patch<Vec<u64>>,
    #[serde(default)]
    #[schema(value_type = Option<TextsPatch>)]
    attributes: Patch<TextsPatch>,
    #[serde(default)]
    #[schema(value_type = Option<kinds::Text>)]
    reference: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<TextsPatch>)]
    metadata: Patch<TextsPatch>,
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Status)]
    status: Option<Status>,
    #[schema(value_type = Option<kinds::Version>)]
    version: Option<u32>,
    #[serde(rename = "id", default)]
    _id: ReadOnly,
    #[serde(rename = "available", default)]
    _available: ReadOnly,
    #[serde(rename = "created_at", default)]
    _created_at: ReadOnly,
    #[serde(rename = "updated_at", default)]
    _updated_at: ReadOnly,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(
    as = ProductStatus,
    examples(json!("active"))
)]
pub(crate) enum Status {
    Active,
    Archived,
}

/// What a body makes of a product.
pub(crate) struct Change {
    /// For the engine.
    pub(crate) change: ProductChange,
    /// The shops as the body listed them.
    pub(crate) shops: Vec<u64>,
}

/// The total that a body wants, whatever there is.
fn total(stock: Option<Quantity>) -> Option<StockTotal> {
    stock.map(|wanted| StockTotal { wanted, warehouse: DEFAULT_WAREHOUSE, seen: None })
}

/// What a client reads whose product was refused; `locate` says where. That the stock is too low is said of the total it asked for.
pub(crate) fn refused(error: Error, locate: impl Fn(Named<'_>) -> Option<String>) -> Problem {
    let least = match &error {
        Error::Refused(Refusal::InsufficientStock(shortages)) => {
            shortages.first().map(|short| short.wanted)
        }
        _ => None,
    };
    let problem = locating(locate)(error);
    match least {
        Some(least) => problem.with_detail(format!(
            "must be at least {least}: so many are reserved, or in other warehouses than {DEFAULT_WAREHOUSE}"
        )),
        None => problem,
    }
}

/// Where a body with these shops names what a refusal is about.
pub(crate) fn locate(shops: &[u64]) -> impl Fn(Named<'_>) -> Option<String> {
    move |named| match named {
        Named::Field(field) => Some(format!("/{field}")),
        Named::Thing("shop", id) => {
            shops.iter().position(|shop| *shop == id).map(|at| format!("/shop_ids/{at}"))
        }
        // Only its stock can be short of anything.
        Named::Thing("product", _) => Some("/stock".to_owned()),
        Named::Thing(..) => None,
    }
}

fn ids(shops: &[u64]) -> BTreeSet<ShopId> {
    shops.iter().copied().map(ShopId).collect()
}

fn texts(texts: Option<Texts>) -> Attributes {
    texts.unwrap_or_default().0
}

impl NewProductBody {
    /// The body of a request of its own: its idempotency key is a header.
    pub(super) fn alone(self) -> Result<Self, Problem> {
        match self.idempotency_key {
            Some(_) => Err(Problem::row_key()),
            None => Ok(self),
        }
    }

    /// The product to be, and the shops as the body listed them.
    pub(crate) fn into_new(self, engine: &Engine) -> Result<(NewProduct, Vec<u64>), Problem> {
        let currency = match self.currency {
            Some(Code(currency)) => currency,
            None => default_currency(engine)?,
        };
        let shops = self.shop_ids.unwrap_or_default();
        let new = NewProduct {
            sku: self.sku,
            name: self.name,
            description: self.description.unwrap_or_default(),
            price: self.price.amount(currency, "/price")?,
            currency,
            shops: ids(&shops),
            attributes: texts(self.attributes),
            reference: self.reference,
            metadata: texts(self.metadata),
            opening: self.stock.map(|stock| (DEFAULT_WAREHOUSE, stock)),
        };
        Ok((new, shops))
    }
}

impl ProductRow {
    /// Its own key.
    pub(super) fn key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }

    /// The sku that it names.
    pub(super) fn sku(&self) -> Option<&str> {
        self.sku.as_deref()
    }

    /// What it asks for when its sku is new.
    pub(super) fn into_new(self) -> Result<NewProductBody, Problem> {
        let missing = |field: &str| Problem::field(format!("/{field}"), "is missing");
        let merged = |patch: TextsPatch| Entries(patch.merge(&Attributes::new()));
        Ok(NewProductBody {
            name: self.name.ok_or_else(|| missing("name"))?,
            price: self.price.ok_or_else(|| missing("price"))?,
            currency: self.currency,
            sku: self.sku,
            description: self.description.optional().flatten(),
            stock: self.stock,
            shop_ids: self.shop_ids.optional().flatten(),
            attributes: self.attributes.optional().flatten().map(merged),
            reference: self.reference.optional().flatten(),
            metadata: self.metadata.optional().flatten().map(merged),
            idempotency_key: None,
        })
    }

    /// What it asks for when its sku is there: what it leaves out stays.
    pub(super) fn into_patch(self) -> PatchProductBody {
        PatchProductBody {
            name: self.name,
            price: self.price,
            currency: self.currency,
            sku: None,
            description: self.description,
            stock: self.stock,
            shop_ids: self.shop_ids,
            attributes: self.attributes,
            reference: self.reference,
            metadata: self.metadata,
            status: None,
            version: None,
            _id: ReadOnly,
            _available: ReadOnly,
            _created_at: ReadOnly,
            _updated_at: ReadOnly,
        }
    }
}

impl ReplaceProductBody {
    /// The version that the caller saw.
    pub(crate) fn version(&self) -> Option<u32> {
        self.version
    }

    /// The product as the body has it. What it leaves out stays, but a description and attributes go.
    pub(crate) fn change(&self, now: &Product) -> Result<Change, Problem> {
        let currency = self.currency.map_or(now.currency, |Code(currency)| currency);
        let change = ProductChange {
            sku: self.sku.clone(),
            name: Some(self.name.clone()),
            description: Some(self.description.clone().unwrap_or_default()),
            price: Some(self.price.amount(currency, "/price")?),
            currency: Some(currency),
            shops: self.shop_ids.as_deref().map(ids),
            attributes: Some(texts(self.attributes.clone())),
            reference: self.reference.clone().map(Some),
            metadata: self.metadata.clone().map(|texts| texts.0),
            archived: None,
            recount: None,
            total: total(self.stock),
        };
        let shops = self.shop_ids.clone().unwrap_or_default();
        Ok(Change { change, shops })
    }
}

impl PatchProductBody {
    /// The version that the caller saw.
    pub(crate) fn version(&self) -> Option<u32> {
        self.version
    }

    /// What the body changes.
    pub(crate) fn change(&self, now: &Product) -> Result<Change, Problem> {
        let currency = self.currency.map_or(now.currency, |Code(currency)| currency);
        if currency != now.currency && self.price.is_none() {
            let detail = "a product in another currency has another price: send both";
            return Err(Problem::field("/price", detail));
        }
        let price = self.price.as_ref().map(|price| price.amount(currency, "/price"));
        let merge = |patch: &Patch<TextsPatch>, before: &Attributes| match patch.clone() {
            Patch::Absent => None,
            Patch::Null => Some(Attributes::new()),
            Patch::Value(patch) => Some(patch.merge(before)),
        };
        let shops = self.shop_ids.clone().or_empty(Vec::new());
        let change = ProductChange {
            sku: self.sku.clone(),
            name: self.name.clone(),
            description: self.description.clone().or_empty(String::new()),
            price: price.transpose()?,
            currency: self.currency.map(|Code(currency)| currency),
            shops: shops.as_deref().map(ids),
            attributes: merge(&self.attributes, &now.attributes),
            reference: self.reference.clone().optional(),
            metadata: merge(&self.metadata, &now.metadata),
            archived: self.status.map(|status| status == Status::Archived),
            recount: None,
            total: total(self.stock),
        };
        Ok(Change { change, shops: shops.unwrap_or_default() })
    }
}
