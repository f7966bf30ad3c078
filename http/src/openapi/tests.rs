use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use stockade_domain::limits;

use super::{callers::Callers, openapi};
use crate::{
    events::{FILTERS_MAX, WAIT_SECONDS_MAX},
    page::LIMIT_MAX,
    passwords::{PASSWORD_MAX, PASSWORD_MIN},
    routes,
};

fn document() -> Value {
    serde_json::from_str(openapi()).unwrap()
}

/// Pages for people: no part of the interface.
const PAGES: [&str; 4] = ["/docs", "/docs/{file}", "/errors/{code}", "/test/clock"];

#[test]
fn the_document_and_the_routes_agree() {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    let documented: BTreeMap<String, BTreeSet<String>> = paths
        .iter()
        .map(|(path, item)| {
            let methods = item.as_object().unwrap().keys().map(|method| method.to_uppercase());
            (path.clone(), methods.collect())
        })
        .collect();
    let mut routed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for route in routes::routes() {
        let mount = if route.is_root_only { "" } else { "/v1" };
        let methods = routed.entry(format!("{mount}{}", route.path)).or_default();
        methods.insert(route.method.to_owned());
    }
    routed.retain(|path, _| !PAGES.contains(&path.as_str()));
    assert_eq!(documented, routed);
}

#[test]
fn the_document_is_the_one_that_was_reviewed() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/openapi.json");
    if std::env::var_os("STOCKADE_BLESS").is_some() {
        std::fs::write(path, openapi()).unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap_or_default();
    let (mut new, mut old) = (openapi().lines(), golden.lines());
    let differs = (1..).zip(new.by_ref().zip(old.by_ref())).find(|(_, (new, old))| new != old);
    assert!(
        differs.is_none() && new.next().is_none() && old.next().is_none(),
        "http/tests/openapi.json differs at {differs:?}: run with STOCKADE_BLESS=1 and look at the difference",
    );
}

/// Calls `visit` with every object of the document and its JSON pointer.
fn walk(place: &str, value: &Value, visit: &mut impl FnMut(&str, &serde_json::Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            visit(place, object);
            // What an example holds is data.
            for (key, value) in object.iter().filter(|(key, _)| !key.starts_with("example")) {
                walk(&format!("{place}/{}", key.replace('/', "~1")), value, visit);
            }
        }
        Value::Array(values) => {
            for (at, value) in values.iter().enumerate() {
                walk(&format!("{place}/{at}"), value, visit);
            }
        }
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    let document = document();
    let mut used = BTreeSet::new();
    walk("", &document, &mut |place, object| {
        if let Some(Value::String(reference)) = object.get("$ref") {
            let pointer = reference.strip_prefix('#').expect("references stay inside");
            assert!(document.pointer(pointer).is_some(), "{place}: {reference} is not there");
            used.insert(pointer.to_owned());
        }
    });
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(used.contains(&format!("/components/schemas/{name}")), "{name} is not used");
    }
}

#[test]
fn every_schema_has_an_example_and_every_operation_says_what_it_does() {
    let document = document();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let examples = schema["examples"].as_array().map_or(0, Vec::len);
        assert!(examples > 0, "{name} has no example");
    }
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let place = format!("{method} {path}");
            assert!(operation["summary"].as_str().is_some_and(|told| !told.is_empty()), "{place}");
            assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{place}");
            assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{place}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|status| status.starts_with('2')), "{place}");
            assert!(responses.contains_key("500") && responses.contains_key("421"), "{place}");
            // Whoever has no account has no profile to change.
            let may_miss = path.contains('{') || path.starts_with("/v1/profile") && method != "get";
            assert_eq!(responses.contains_key("404"), may_miss, "{place}");
        }
    }
}

/// A body refuses what it does not know, and the document says so.
#[test]
fn bodies_are_closed() {
    let document = document();
    walk("", &document["paths"], &mut |place, object| {
        let Some(body) = object.get("requestBody") else { return };
        let reference = body["content"]["application/json"]["schema"]["$ref"].as_str().unwrap();
        let schema = document.pointer(&reference[1..]).unwrap();
        let spellings = schema["oneOf"].as_array().cloned().unwrap_or_else(|| vec![schema.clone()]);
        for spelling in spellings {
            assert_eq!(spelling["additionalProperties"], false, "{place}: {reference}");
        }
    });
}

#[test]
fn the_limits_are_the_engines() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    for (pointer, limit) in [
        ("/NewOrder/oneOf/0/properties/lines/maxItems", limits::ORDER_LINES_MAX),
        ("/NewOrder/oneOf/1/properties/products/maxItems", limits::ORDER_LINES_MAX),
        ("/NewOrder/oneOf/2/properties/reservation_ids/maxItems", limits::ORDER_LINES_MAX),
        ("/NewOrders/properties/orders/maxItems", limits::BATCH_ORDERS_MAX),
        ("/NewProducts/properties/products/maxItems", limits::BATCH_ORDERS_MAX),
        ("/CancelOrder/properties/lines/maxItems", limits::ORDER_LINES_MAX),
        ("/NewShipment/properties/lines/maxItems", limits::ORDER_LINES_MAX),
        ("/NewReturn/properties/lines/maxItems", limits::ORDER_LINES_MAX),
        ("/NewReservation/oneOf/0/properties/lines/maxItems", limits::HOLD_LINES_MAX),
        ("/NewAdjustment/oneOf/1/properties/adjustments/maxItems", limits::ADJUSTMENT_LINES_MAX),
        ("/ShopWarehouses/properties/warehouse_ids/maxItems", limits::SHOP_WAREHOUSES_MAX),
        ("/Text/maxLength", limits::TEXT_MAX),
        ("/LongText/maxLength", limits::LONG_TEXT_MAX),
        ("/Texts/maxProperties", limits::ATTRIBUTES_MAX),
        ("/Email/maxLength", limits::EMAIL_MAX),
        ("/Username/minLength", limits::USERNAME_MIN),
        ("/Username/maxLength", limits::USERNAME_MAX),
        ("/NewPassword/minLength", PASSWORD_MIN),
        ("/NewPassword/maxLength", PASSWORD_MAX),
        ("/Quantity/maximum", limits::QUANTITY_MAX as usize),
        ("/OnHand/maximum", limits::ON_HAND_MAX as usize),
        ("/TimeToLive/maximum", limits::HOLD_TTL_MS_MAX as usize / 1_000),
        ("/PaymentDeadline/maximum", limits::PAYMENT_DEADLINE_MS_MAX as usize / 1_000),
    ] {
        assert_eq!(schemas.pointer(pointer), Some(&limit.into()), "{pointer}");
    }
    let parameters = document["paths"]["/v1/events"]["get"]["parameters"].as_array().unwrap();
    for (name, pointer, limit) in [
        ("limit", "/maximum", LIMIT_MAX as u64),
        ("wait", "/maximum", WAIT_SECONDS_MAX),
        ("type", "/maxItems", FILTERS_MAX as u64),
        ("entity", "/maxItems", FILTERS_MAX as u64),
    ] {
        let parameter = parameters.iter().find(|parameter| parameter["name"] == name).unwrap();
        assert_eq!(parameter["schema"].pointer(pointer), Some(&limit.into()), "{name}");
    }
    for text in ["Text", "LongText", "Email"] {
        let description = schemas[text]["description"].as_str().unwrap().replace(',', "");
        let limit = schemas[text]["maxLength"].to_string();
        assert!(description.contains(&format!("{limit} bytes")), "{description}");
    }
}

#[test]
fn every_operation_names_the_least_role_that_may_use_it() {
    let document = document();
    for (method, path, security) in [
        ("post", "/v1/login", Value::Null),
        ("get", "/.well-known/jwks.json", Value::Null),
        ("get", "/v1/shops", json!([{}, {"bearer": []}])),
        ("post", "/v1/orders", json!([{"bearer": ["customer"]}])),
        ("get", "/v1/customers/{id}", json!([{"bearer": ["customer"]}])),
        ("patch", "/v1/customers/{id}", json!([{"bearer": ["staff"]}])),
        ("put", "/v1/warehouses/{id}/stock/{product_id}", json!([{"bearer": ["staff"]}])),
        ("delete", "/v1/customers/{id}", json!([{"bearer": ["admin"]}])),
        ("get", "/v1/api-keys", json!([{"bearer": ["admin"]}])),
    ] {
        let operation = &document["paths"][path][method];
        assert!(operation.is_object(), "{method} {path}");
        assert_eq!(operation["security"], security, "{method} {path}");
        let has_role = security.as_array().is_some_and(|all| all.len() == 1);
        if has_role {
            let responses = &operation["responses"];
            assert!(
                responses["401"].is_object() && responses["403"].is_object(),
                "{method} {path}"
            );
        }
    }
}

/// What the document says of callers where there are roles, keys and positions.
#[test]
fn who_asks_and_what_callers_bring_follow_from_the_route() {
    let who = |method: &str, path: &str| match (method, path) {
        (_, "/livez") => "anybody",
        ("GET", _) => "public",
        _ => "staff",
    };
    let callers = Callers { who, has_keys: true, has_positions: true };
    let document = serde_json::to_value(super::document(&callers)).unwrap();
    let operation = |path: &str, method: &str| document["paths"][path][method].clone();
    let takes = |operation: &Value, name: &str| {
        let parameters = operation["parameters"].as_array();
        parameters.is_some_and(|all| all.iter().any(|parameter| parameter["name"] == name))
    };
    let probe = operation("/livez", "get");
    assert!(probe["security"].is_null() && probe["responses"]["429"].is_null(), "{probe}");
    let read = operation("/v1/products", "get");
    assert_eq!(read["security"], json!([{}, {"bearer": []}]));
    assert!(read["responses"]["401"].is_object() && read["responses"]["403"].is_null(), "{read}");
    assert!(takes(&read, "Stockade-Min-Position") && !takes(&read, "Idempotency-Key"), "{read}");
    let write = operation("/v1/products", "post");
    assert_eq!(write["security"], json!([{"bearer": ["staff"]}]));
    for status in ["401", "403", "409", "429"] {
        assert!(write["responses"][status].is_object(), "{status}: {write}");
    }
    assert!(takes(&write, "Idempotency-Key"), "{write}");
    for header in ["Idempotent-Replayed", "Stockade-Position"] {
        assert!(write["responses"]["201"]["headers"][header].is_object(), "{header}: {write}");
    }
    assert!(!takes(&operation("/v1/orders/plan", "post"), "Idempotency-Key"));
}
