//! What follows from what an operation takes, so that no handler has to say it.

use serde_json::{Value, json};
use utoipa::openapi::{
    Components, OpenApi, Ref, RefOr, Required,
    path::{Operation, Parameter, ParameterIn, PathItem},
    response::Response,
    schema::{Object, OneOf, Schema, SchemaType, Type},
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

use super::{
    answers::{parameters, problem},
    callers::Callers,
};

/// A refusal that many operations share: its status, its name, and when it comes.
const REFUSALS: [(&str, &str, &str); 16] = [
    ("400", "MalformedJson", "The body is not JSON."),
    ("401", "Unauthenticated", "The caller is not known: there is no token, or it is no good."),
    ("403", "Forbidden", "The caller may not do this."),
    ("404", "NotFound", "There is no such thing."),
    ("406", "NotAcceptable", "`Accept-Encoding` takes nothing that is there, and no plain answer."),
    ("408", "RequestTimeout", "The body came too slowly."),
    ("409", "KeyInProgress", "A request with this idempotency key is still under way."),
    ("412", "PreconditionFailed", "The thing has changed: `If-Match` names another version."),
    ("413", "BodyTooLarge", "The body is too large."),
    ("415", "UnsupportedMediaType", "The body is not `application/json`."),
    ("421", "Misdirected", "The request was meant for another host."),
    ("422", "Unprocessable", "Fields or parameters are not acceptable: `errors` names each."),
    ("428", "PreconditionRequired", "The request must say which version it is about."),
    ("429", "RateLimited", "Too many requests: try again after `Retry-After`."),
    ("500", "Internal", "Something failed inside; nothing was changed."),
    ("503", "Unavailable", "Too busy, shutting down, or stopped: try again after `Retry-After`."),
];

/// Adds to every operation what its path, its parameters and its body bring with them.
pub(super) fn complete(document: &mut OpenApi, callers: &Callers) {
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            name(operation);
            take(path, operation);
            callers.describe(method, path, operation);
            refuse(path, method, callers, operation);
        }
    }
    let components = document.components.get_or_insert_default();
    for schema in components.schemas.values_mut() {
        if let RefOr::T(Schema::Object(object)) = schema {
            object.description = object.description.as_deref().and_then(told);
            say_null(object);
        }
    }
    for item in document.paths.paths.values_mut() {
        item.post.iter_mut().for_each(|operation| spare_body(components, operation));
    }
    for (status, name, description) in REFUSALS {
        let mut refusal = problem(description);
        let text = json!({"type": "string"});
        match status {
            "401" => refusal["headers"] = json!({"WWW-Authenticate": {"schema": text}}),
            "429" => {
                refusal["headers"] = json!({
                    "Retry-After": retry_after(),
                    "RateLimit": {"description": "What is left.", "schema": text},
                    "RateLimit-Policy": {"description": "What is allowed.", "schema": text},
                });
            }
            "503" => refusal["headers"] = json!({"Retry-After": retry_after()}),
            _ => {}
        }
        components.responses.insert(name.to_owned(), response(refusal));
    }
    spell(components);
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some(
            "An access token, or an API key. An operation names the least role that may use it: `customer`, `staff` or `admin`. \
             Without authentication (`auth.mode = \"none\"`) it is ignored.",
        ))
        .build();
    components.security_schemes.insert("bearer".to_owned(), SecurityScheme::Http(bearer).into());
}

fn retry_after() -> Value {
    json!({
        "description": "Seconds after which to try again; absent when that would not help.",
        "schema": {"type": "integer", "minimum": 1},
    })
}

/// The operations of a path, with their methods.
pub(super) fn operations(item: &mut PathItem) -> Vec<(&'static str, &mut Operation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [("GET", get), ("PUT", put), ("POST", post), ("DELETE", delete), ("PATCH", patch)]
        .into_iter()
        .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
        .collect()
}

fn response(json: Value) -> RefOr<Response> {
    serde_json::from_value(json).expect("it is written here, and the document's tests build it")
}

/// An id that is its own: handlers of several resources are called `list`. And the summary without the route, which stands above it.
fn name(operation: &mut Operation) {
    let tag = operation.tags.iter().flatten().next().cloned().unwrap_or_default();
    let handler = operation.operation_id.take().unwrap_or_default();
    operation.operation_id = Some(format!("{}_{handler}", tag.replace('-', "_")));
    operation.summary = operation.summary.as_deref().and_then(told);
}

/// What a comment says, without the route that it begins with.
fn told(comment: &str) -> Option<String> {
    let told = match comment.strip_prefix('`').and_then(|rest| rest.split_once('`')) {
        Some((_, told)) => told.trim_start_matches([':', '.']).trim(),
        None => comment.trim(),
    };
    let mut letters = told.chars();
    let first = letters.next()?.to_uppercase().to_string();
    Some(first + letters.as_str())
}

/// The parameters that follow: the ids of the path, and the ETag that the client has.
fn take(path: &str, operation: &mut Operation) {
    let given = operation.parameters.take().unwrap_or_default();
    let ids = path.split('/').filter_map(|step| step.strip_prefix('{')?.strip_suffix('}'));
    let id = |name: &str| {
        json!({
            "name": name, "in": "path", "required": true,
            "schema": {"$ref": "#/components/schemas/Id"},
        })
    };
    let mut all = parameters(Value::Array(ids.map(id).collect()));
    if operation.responses.responses.contains_key("304") {
        all.extend(parameters(json!([{
            "name": "If-None-Match", "in": "header", "required": false,
            "description": "ETags that the client has.", "schema": {"type": "string"},
        }])));
    }
    let own = given.into_iter().filter_map(|parameter| match parameter {
        RefOr::T(parameter) if parameter.parameter_in != ParameterIn::Path => Some(parameter),
        _ => None,
    });
    // A query or a header that must be there, there is none.
    all.extend(own.map(|mut parameter: Parameter| {
        parameter.required = Required::False;
        parameter
    }));
    operation.parameters = (!all.is_empty()).then(|| all.into_iter().map(RefOr::T).collect());
}

/// The refusals that follow.
fn refuse(path: &str, method: &str, callers: &Callers, operation: &mut Operation) {
    let is_of_root = !path.starts_with("/v1/");
    let takes = |name: &str| {
        operation
            .parameters
            .iter()
            .flatten()
            .any(|parameter| matches!(parameter, RefOr::T(parameter) if parameter.name == name))
    };
    let has_body = operation.request_body.is_some();
    let mut statuses = callers.refusals(method, path);
    statuses.extend(["406", "421", "422", "500"]);
    if !is_of_root {
        statuses.push("503");
    }
    if path.contains('{') {
        statuses.push("404");
    }
    if method != "GET" {
        statuses.push("403");
    }
    if has_body {
        statuses.extend(["400", "408", "413", "415"]);
    }
    if takes("If-Match") {
        statuses.push("412");
    }
    let responses = &mut operation.responses.responses;
    for (status, name, _) in REFUSALS {
        if statuses.contains(&status) {
            let shared = RefOr::Ref(Ref::from_response_name(name));
            responses.entry(status.to_owned()).or_insert(shared);
        }
    }
}

/// What is null in an answer is not absent.
fn say_null(object: &mut Object) {
    let is_answer = object.additional_properties.is_none();
    let may_be_null = |schema: &RefOr<Schema>| match schema {
        RefOr::T(Schema::Object(object)) => is_nullable(&object.schema_type),
        RefOr::T(Schema::Array(array)) => is_nullable(&array.schema_type),
        RefOr::T(Schema::OneOf(one_of)) => one_of.items.iter().any(|item| match item {
            RefOr::T(Schema::Object(object)) => object.schema_type == SchemaType::Type(Type::Null),
            _ => false,
        }),
        _ => false,
    };
    if is_answer {
        let said = object.properties.iter().filter(|(_, schema)| may_be_null(schema));
        object.required.extend(said.map(|(name, _)| name.clone()));
    }
}

fn is_nullable(kind: &SchemaType) -> bool {
    matches!(kind, SchemaType::Array(types) if types.contains(&Type::Null))
}

/// The body of a POST, of which every field may be left out may be left out itself.
fn spare_body(components: &Components, operation: &mut Operation) {
    let Some(RefOr::T(body)) = &mut operation.request_body else { return };
    let schemas = body.content.values().filter_map(|content| match content {
        RefOr::T(content) => content.schema.as_ref(),
        RefOr::Ref(_) => None,
    });
    let needs_nothing = |schema: &RefOr<Schema>| {
        let RefOr::Ref(reference) = schema else { return false };
        let name = reference.ref_location.rsplit('/').next().unwrap_or_default();
        let schema = components.schemas.get(name);
        matches!(schema, Some(RefOr::T(Schema::Object(object))) if object.required.is_empty())
    };
    if schemas.into_iter().all(needs_nothing) {
        body.required = Some(Required::False);
    }
}

/// A spelling of a body: the fields that make it one, and those that cannot stand beside them.
type Spelling = (&'static [&'static str], &'static [&'static str]);

const ORDER: [Spelling; 3] = [
    (&["lines"], &["products", "product_id", "quantity"]),
    (&["products"], &["lines", "product_id", "quantity"]),
    (&["product_id", "quantity"], &["lines", "products"]),
];

const LOGIN: [Spelling; 2] =
    [(&["email", "password"], &["username"]), (&["username", "password"], &["email"])];

const RESERVATION: [Spelling; 4] = [
    (&["lines"], &["product_id", "quantity", "warehouse_id"]),
    (&["lines", "warehouse_id"], &["product_id", "quantity", "shop_id"]),
    (&["product_id", "quantity"], &["lines", "warehouse_id"]),
    (&["product_id", "quantity", "warehouse_id"], &["lines", "shop_id"]),
];

const ADJUSTMENT: [Spelling; 2] = [
    (&["warehouse_id", "product_id", "delta", "reason"], &["adjustments", "mode"]),
    (&["adjustments"], &["warehouse_id", "product_id", "delta"]),
];

/// A body that is written in several ways is exactly one of them.
fn spell(components: &mut Components) {
    let bodies: [(&str, &[Spelling]); 5] = [
        ("NewOrder", &ORDER),
        ("NewOrderRow", &ORDER),
        ("NewReservation", &RESERVATION),
        ("NewAdjustment", &ADJUSTMENT),
        ("Login", &LOGIN),
    ];
    for (name, spellings) in bodies {
        let Some(RefOr::T(Schema::Object(whole))) = components.schemas.get_mut(name) else {
            continue;
        };
        let mut one_of = OneOf::new();
        one_of.description = whole.description.take();
        one_of.examples = std::mem::take(&mut whole.examples);
        for (required, absent) in spellings {
            let mut spelled = whole.clone();
            // Null is as good as nothing there.
            for name in absent.iter().filter(|name| whole.properties.contains_key(**name)) {
                let null = Object::with_type(SchemaType::Type(Type::Null));
                spelled.properties.insert((*name).to_owned(), null.into());
            }
            spelled.required = required.iter().map(|name| (*name).to_owned()).collect();
            spelled.title = Some(format!("{name} by {}", required.join(", ")));
            one_of.items.push(Schema::Object(spelled).into());
        }
        components.schemas.insert(name.to_owned(), Schema::OneOf(one_of).into());
    }
}
