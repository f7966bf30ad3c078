//! The kinds of values that bodies and answers are made of, with the limits of the domain.
//!
//! Each exists for the document alone: fields name one by `#[schema(value_type = ...)]`.

use std::borrow::Cow;

use serde_json::{Value, json};
use stockade_domain::{
    limits::{
        ATTRIBUTES_MAX, EMAIL_MAX, HOLD_TTL_MS_MAX, LONG_TEXT_MAX, ON_HAND_MAX,
        PAYMENT_DEADLINE_MS_MAX, QUANTITY_MAX, TEXT_MAX, USERNAME_MAX, USERNAME_MIN,
    },
    order::Status,
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, schema::Schema},
};

use crate::{
    command::KEY_MAX,
    events::TYPES,
    fields, money,
    passwords::{PASSWORD_MAX, PASSWORD_MIN},
    problem::{Code, Problem},
    products::{SEARCH_MAX, SKUS_MAX},
    query::ID_MAX,
    time,
};

/// A schema as JSON Schema writes it.
pub(super) fn schema(json: Value) -> RefOr<Schema> {
    serde_json::from_value(json).expect("it is written here, and the document's tests build it")
}

/// Every type of JSON.
const ANYTHING: [&str; 6] = ["null", "boolean", "number", "string", "array", "object"];

/// No control characters, and not blank.
const TEXT: &str = r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$";

/// No control characters but line breaks and tabs.
const LONG_TEXT: &str = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$";

/// Something before the only `@`, and labels behind it; no spaces, no control characters.
const EMAIL: &str = r"^[^@\s\u0000-\u001f\u007f-\u009f]+@[^@.\s\u0000-\u001f\u007f-\u009f]+(\.[^@.\s\u0000-\u001f\u007f-\u009f]+)*$";

/// Gives a type of the wire the schema that is written here.
macro_rules! kind {
    ($type:ty, $name:expr, $doc:expr, $json:tt) => {
        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                let mut json = json!($json);
                json["description"] = $doc.trim().into();
                schema(json)
            }
        }

        impl ToSchema for $type {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed($name)
            }
        }
    };
}

/// The same for values that have no type of their own.
macro_rules! kinds {
    ($(#[doc = $doc:literal] $name:ident $json:tt)*) => {$(
        #[doc = $doc]
        pub(crate) enum $name {}

        kind!($name, stringify!($name), $doc, $json);
    )*};
}

pub(super) use {kind, kinds};

kinds! {
    /// The number of a thing, unique among its kind.
    Id {"type": "integer", "format": "int64", "minimum": 1, "maximum": ID_MAX, "examples": [1]}

    /// Which change of a thing this is.
    Version {"type": "integer", "format": "int64", "minimum": 0, "maximum": u32::MAX, "examples": [3]}

    /// How many units are asked for.
    Quantity {"type": "integer", "format": "int64", "minimum": 1, "maximum": QUANTITY_MAX, "examples": [2]}

    /// How many units are set, perhaps none.
    Units {"type": "integer", "format": "int64", "minimum": 0, "maximum": QUANTITY_MAX, "examples": [10]}

    /// How many units were counted.
    OnHand {"type": "integer", "format": "int64", "minimum": 0, "maximum": ON_HAND_MAX, "examples": [40]}

    /// How many units there are.
    Count {"type": "integer", "format": "int64", "minimum": 0, "examples": [12]}

    /// A bound on units.
    Bound {"type": "integer", "format": "int64", "minimum": 0, "maximum": ID_MAX, "examples": [5]}

    /// By how many units stock changes: up or down, not 0.
    Delta {
        "oneOf": [
            {"type": "integer", "format": "int64", "minimum": 1, "maximum": QUANTITY_MAX},
            {"type": "integer", "format": "int64", "minimum": -(QUANTITY_MAX as i64), "maximum": -1},
        ],
        "examples": [-3],
    }

    /// A short text: not blank, no control characters, up to 255 bytes of UTF-8.
    Text {"type": "string", "minLength": 1, "maxLength": TEXT_MAX, "pattern": TEXT, "examples": ["PO-7731"]}

    /// A longer text, perhaps empty: lines, but no other control characters, up to 10,000 bytes of UTF-8.
    LongText {"type": "string", "maxLength": LONG_TEXT_MAX, "pattern": LONG_TEXT, "examples": ["Leave it at the gate."]}

    /// A price of 0 or more, with up to the currency's decimals. A number is read exactly, as it is written.
    Price {
        "oneOf": [
            {"type": "string", "pattern": DECIMAL},
            {"type": "number", "minimum": 0},
        ],
        "examples": ["12.50"],
    }

    /// A payment above 0, with up to the currency's decimals. A number is read exactly, as it is written.
    Payment {
        "oneOf": [
            {"type": "string", "pattern": DECIMAL},
            {"type": "number", "exclusiveMinimum": 0},
        ],
        "examples": ["25.00"],
    }

    /// An e-mail address: up to 254 bytes of UTF-8. Upper and lower case are not told apart.
    Email {"type": "string", "minLength": 3, "maxLength": EMAIL_MAX, "pattern": EMAIL, "examples": ["ada@example.com"]}

    /// Letters, digits, dots, dashes and underscores; it is kept in lower case.
    Username {
        "type": "string", "minLength": USERNAME_MIN, "maxLength": USERNAME_MAX,
        "pattern": "^[A-Za-z0-9._-]+$", "examples": ["ada"],
    }

    /// A password to sign in with from now on.
    NewPassword {
        "type": "string", "format": "password", "minLength": PASSWORD_MIN, "maxLength": PASSWORD_MAX,
        "examples": ["correct horse"],
    }

    /// A price to compare with, as a plain decimal with up to the currency's decimals.
    PriceBound {
        "type": "string", "pattern": DECIMAL, "examples": ["12.50"],
    }

    /// Of whoever has no account.
    NoId {
        "type": "null", "examples": [null],
    }

    /// Whoever asks: an account, or somebody who has none, such as a machine.
    Profile {
        "oneOf": [{"$ref": "#/components/schemas/Account"}, {"$ref": "#/components/schemas/Stranger"}],
        "examples": [{"id": null, "username": "local", "role": "admin"}],
    }

    /// The public keys that verify access tokens (RFC 7517); none while they are signed with a shared secret.
    KeySet {
        "type": "object",
        "properties": {"keys": {"type": "array", "items": key()}},
        "required": ["keys"],
        "examples": [{"keys": [{
            "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            "alg": "EdDSA", "use": "sig", "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
        }]}],
    }

    /// What makes a repeated request the same request: 1 to 255 visible ASCII characters, new for each command.
    IdempotencyKey {"type": "string", "minLength": 1, "maxLength": KEY_MAX, "pattern": "^[!-~]+$", "examples": ["c7d1-42"]}

    /// The two letters of ISO 3166.
    Country {"type": "string", "pattern": "^[A-Z]{2}$", "examples": ["GB"]}

    /// Degrees north; rounded to millionths.
    Latitude {"type": "number", "format": "double", "minimum": -90, "maximum": 90, "examples": [51.5074]}

    /// Degrees east; rounded to millionths.
    Longitude {"type": "number", "format": "double", "minimum": -180, "maximum": 180, "examples": [-0.1278]}

    /// How long an order waits for its payment, in seconds: up to 7 days.
    PaymentDeadline {
        "type": "integer", "format": "int64", "minimum": 1, "maximum": PAYMENT_DEADLINE_MS_MAX / 1_000, "examples": [1800],
    }

    /// How long units are held, in seconds: up to 7 days.
    TimeToLive {
        "type": "integer", "format": "int64", "minimum": 1, "maximum": HOLD_TTL_MS_MAX / 1_000, "examples": [900],
    }

    /// Up to 100 ids, separated by commas.
    Ids {"type": "string", "pattern": "^[1-9][0-9]{0,14}(,[1-9][0-9]{0,14}){0,99}$", "examples": ["1,2,3"]}

    /// Up to 16 different words, in up to 256 bytes of UTF-8.
    Search {"type": "string", "maxLength": SEARCH_MAX, "examples": ["blue mug"]}

    /// Skus, each a parameter of its own.
    Skus {"type": "array", "items": {"type": "string"}, "maxItems": SKUS_MAX, "examples": [["MUG-BLUE"]]}

    /// The order of a list of products.
    ProductSort {
        "type": "string",
        "enum": ["id", "-id", "name", "-name", "price", "-price", "created_at", "-created_at"],
        "examples": ["-price"],
    }

    /// The order of a list of orders.
    OrderSort {"type": "string", "enum": ["id", "-id", "placed_at", "-placed_at"], "examples": ["-placed_at"]}

    /// How far an order has come. Clients ignore what they do not know.
    OrderStatus {"type": "string", "enum": STATUSES.map(Status::name), "examples": ["paid"]}

    /// How far a transfer has come.
    TransferStatus {"type": "string", "enum": ["in_transit", "completed", "cancelled"], "examples": ["in_transit"]}

    /// What happened. Clients ignore what they do not know.
    EventType {"type": "string", "enum": TYPES, "examples": ["order.placed"]}

    /// A place in the journal: of an event, or of the last one that was read.
    Position {"type": "string", "pattern": "^[0-9]{1,20}$", "examples": ["42"]}

    /// Types of events: one, or all of a group.
    EventTypes {"type": "string", "enum": type_filters(), "examples": ["order.*"]}

    /// Something that events are about: a kind and its id; of a stock, its warehouse and its product.
    Entity {
        "type": "string",
        "pattern": "^((order|product|shop|warehouse|reservation|transfer|adjustment|customer)/[1-9][0-9]{0,14}|stock/[1-9][0-9]{0,14}/[1-9][0-9]{0,14})$",
        "examples": ["stock/1/3"],
    }

    /// A moment that is past, or a place in the journal.
    AsOf {
        "oneOf": [
            {"type": "string", "format": "date-time"},
            {"type": "integer", "format": "int64", "minimum": 0, "maximum": ID_MAX},
        ],
        "examples": ["2026-01-31T12:00:00Z"],
    }

    /// Whether units are held.
    ReservationStatus {
        "type": "string", "enum": ["active", "released", "expired", "converted"], "examples": ["active"],
    }
}

/// What `type` takes: each type, and each group of them.
fn type_filters() -> Vec<String> {
    let groups = TYPES.iter().filter_map(|name| Some(format!("{}.*", name.split_once('.')?.0)));
    let mut filters: Vec<String> = groups.collect();
    filters.dedup();
    filters.extend(TYPES.iter().map(|name| (*name).to_owned()));
    filters
}

/// A public key. Its members follow from its type.
fn key() -> Value {
    let text = json!({"type": "string"});
    json!({
        "type": "object",
        "properties": {"kty": text, "alg": text, "use": text, "kid": text},
        "required": ["kty", "alg", "use", "kid"],
    })
}

/// Digits, and perhaps decimals.
const DECIMAL: &str = r"^[0-9]{1,15}(\.[0-9]{1,4})?$";

/// Every status of an order.
const STATUSES: [Status; 8] = [
    Status::PendingPayment,
    Status::Paid,
    Status::PartiallyShipped,
    Status::Shipped,
    Status::Delivered,
    Status::Cancelled,
    Status::Expired,
    Status::Returned,
];

kind!(money::Money, "Money", "An exact amount, with exactly the currency's decimals.", {
    "type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "examples": ["12.50"],
});
kind!(money::Code, "Currency", "A currency of ISO 4217.", {
    "type": "string", "pattern": "^[A-Z]{3}$", "examples": ["USD"],
});
kind!(time::Time, "Time", "A moment: RFC 3339, in answers UTC with milliseconds.", {
    "type": "string", "format": "date-time", "examples": ["2026-01-31T12:00:00.000Z"],
});
kind!(
    fields::ReadOnly,
    "ReadOnly",
    "What the answer says; a body may repeat it, whatever it is, which changes nothing.",
    {"type": ANYTHING, "examples": [1]}
);
kind!(fields::Texts, "Texts", "Texts by a name that the caller chooses.", {
    "type": "object",
    "additionalProperties": {"type": "string", "maxLength": LONG_TEXT_MAX, "pattern": LONG_TEXT},
    "propertyNames": {"type": "string", "minLength": 1, "maxLength": TEXT_MAX, "pattern": TEXT},
    "maxProperties": ATTRIBUTES_MAX,
    "examples": [{"colour": "blue"}],
});
kind!(fields::TextsPatch, "TextsPatch", "Texts by name: null removes one, those not named stay.", {
    "type": "object",
    "additionalProperties": {
        "type": ["string", "null"], "maxLength": LONG_TEXT_MAX, "pattern": LONG_TEXT,
    },
    "propertyNames": {"type": "string", "minLength": 1, "maxLength": TEXT_MAX, "pattern": TEXT},
    "examples": [{"colour": null, "size": "large"}],
});
kind!(Problem, "Problem", "Why the answer is not what was asked for (RFC 9457).", {
    "type": "object",
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "`/errors/` and the code."},
        "title": {"type": "string", "description": "The code in words."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What is wrong with this request, for people."},
        "code": code(),
        "request_id": {"type": "string", "description": "The `X-Request-Id` of the answer."},
        "errors": {"type": "array", "items": fault(), "description": "Each thing that is wrong, and where."},
        "reservations": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/LiveReservation"},
            "description": "Of a recount below what is reserved: the newest reservations in the way.",
        },
    },
    "required": ["type", "title", "status", "detail", "code"],
    "examples": [{
        "type": "/errors/insufficient_stock",
        "title": "There is not enough stock",
        "status": 409,
        "detail": "not enough stock: product 3: 4 wanted, 1 available",
        "code": "insufficient_stock",
        "request_id": "9c1f-1",
        "errors": [{
            "pointer": "/lines/0/product_id",
            "code": "insufficient_stock",
            "detail": "4 wanted, 1 available",
            "product_id": 3,
            "wanted": 4,
            "available": 1,
            "frees_at": "2026-01-31T12:00:00.000Z",
        }],
    }],
});

/// The codes, by which clients tell problems apart.
fn code() -> Value {
    let names: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
    json!({"type": "string", "enum": names, "description": "The stable name of the problem; the list only grows."})
}

/// One thing that is wrong with a request.
fn fault() -> Value {
    let count = json!({"$ref": "#/components/schemas/Count"});
    let id = json!({"$ref": "#/components/schemas/Id"});
    json!({
        "type": "object",
        "properties": {
            "pointer": {"type": "string", "description": "Where in the body, as a JSON pointer (RFC 6901)."},
            "parameter": {"type": "string", "description": "Which parameter of the query."},
            "header": {"type": "string", "description": "Which header."},
            "code": code(),
            "detail": {"type": "string"},
            "product_id": id,
            "warehouse_id": id,
            "wanted": count,
            "available": count,
            "frees_at": {
                "type": ["string", "null"], "format": "date-time",
                "description": "When units may come free; null when that is not known.",
            },
        },
        "required": ["code", "detail"],
    })
}
