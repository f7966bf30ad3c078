//! Rows of batches: what a request of its own says, and the row's idempotency key.

use std::borrow::Cow;

use serde_json::{Value, json};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, schema::Schema},
};

use super::kinds::{kind, kinds, schema};
use crate::{orders::PlaceOrderBody, products::ProductRow};

kinds! {
    /// An order of a batch.
    NewOrderRow (row(&PlaceOrderBody::schema()))

    /// A product of a batch.
    NewProductRow (row(&ProductRow::schema()))
}

fn row(alone: &RefOr<Schema>) -> Value {
    let mut row = serde_json::to_value(alone).expect("a schema is JSON");
    row["properties"]["idempotency_key"] = json!({
        "oneOf": [{"type": "null"}, {
            "$ref": "#/components/schemas/IdempotencyKey",
            "description": "Of this row alone: it is the same row in every batch, and has one effect.",
        }],
    });
    row
}
