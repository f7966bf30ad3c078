//! What events show of their things. It is written piece by piece, so that its schema is put together here.

use std::borrow::Cow;

use serde_json::{Value, json};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, schema::Schema},
};

use super::kinds::{kind, kinds, schema};
use crate::{
    events::{CloudEvent, Data},
    orders::OrderView,
    products::ProductView,
    reservations::HoldView,
};

kinds! {
    /// Something that happened, in the envelope of CloudEvents 1.0.
    Event (envelope("EventData"))

    /// Something that happened to an order, with the order as it was after it, in the envelope of CloudEvents 1.0.
    OrderEvent (envelope("Order"))

    /// An order in an event: without what people wrote, and without what may read differently tomorrow.
    EventOrder (order())

    /// A reservation in an event: without the caller's name for whom it is held, which may be a person's.
    EventReservation (reservation())

    /// A product in an event: without what there is of it, and without the caller's own data.
    EventProduct (without(&ProductView::schema(), &["stock", "available", "metadata"]))
}

kind!(
    Data<'_>,
    "EventData",
    "The thing as it was right after, without personal data but ids; which one it is, `subject` and `type` say.",
    {
        "anyOf": [
            {"$ref": "#/components/schemas/EventOrder"},
            {"$ref": "#/components/schemas/EventProduct"},
            {"$ref": "#/components/schemas/EventReservation"},
            {"$ref": "#/components/schemas/EventStock"},
            {"$ref": "#/components/schemas/EventAdjustment"},
            {"$ref": "#/components/schemas/EventCustomer"},
            {"$ref": "#/components/schemas/Transfer"},
            {"$ref": "#/components/schemas/Shop"},
            {"$ref": "#/components/schemas/Warehouse"},
        ],
        "examples": [{"product_id": 1, "warehouse_id": 1, "owner": {"kind": "order", "id": 1}, "on_hand_change": 0, "reserved_change": 2}],
    }
);

/// The envelope around this schema.
fn envelope(data: &str) -> Value {
    let envelope = CloudEvent::<Data<'_>>::schema();
    let mut envelope = serde_json::to_value(envelope).expect("a schema is JSON");
    envelope["properties"]["data"] = json!({"$ref": format!("#/components/schemas/{data}")});
    envelope
}

fn order() -> Value {
    let mut parts = Vec::new();
    OrderView::schemas(&mut parts);
    let part = |wanted: &str, fields: &[&str]| {
        let found = parts.iter().find(|(name, _)| name == wanted);
        without(&found.expect("an order has it").1, fields)
    };
    let mut order = without(&OrderView::schema(), &["cancel_reason", "note", "metadata"]);
    order["properties"]["lines"]["items"] = part("OrderLine", &["sku", "name"]);
    order["properties"]["returns"]["items"] = part("Return", &["reason"]);
    order
}

fn reservation() -> Value {
    let mut hold = without(&HoldView::schema(), &["owner"]);
    hold["properties"]["replaces"] = json!({
        "type": "array", "items": {"$ref": "#/components/schemas/Id"},
        "description": "Of a new one: earlier ones of the same owner that lost these products to it.",
    });
    hold
}

/// An object without some of its fields.
fn without(whole: &RefOr<Schema>, fields: &[&str]) -> Value {
    let mut part = serde_json::to_value(whole).expect("a schema is JSON");
    let is_other = |name: &str| !fields.contains(&name);
    if let Some(required) = part["required"].as_array_mut() {
        required.retain(|name| name.as_str().is_some_and(is_other));
    }
    if let Some(properties) = part["properties"].as_object_mut() {
        properties.retain(|name, _| is_other(name));
    }
    for example in part["examples"].as_array_mut().into_iter().flatten() {
        example
            .as_object_mut()
            .into_iter()
            .for_each(|example| example.retain(|name, _| is_other(name)));
    }
    part
}
