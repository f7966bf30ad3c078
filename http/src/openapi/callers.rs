//! What callers bring beside a body, and what they are told for it: who they are, their idempotency key, the position that they have seen.

use serde_json::{Value, json};
use utoipa::openapi::{RefOr, path::Operation, security::SecurityRequirement};

use super::answers::parameters;
use crate::routes;

/// What the server does with it. The document says no more than that.
pub(super) struct Callers {
    /// Who may use an operation, by its method and path: `anybody` (no token is looked at), `public`, `customer`, `staff` or
    /// `admin`; each from there on up.
    pub(super) who: fn(&str, &str) -> &'static str,
    /// Whether a command has one effect for each `Idempotency-Key`.
    pub(super) has_keys: bool,
    /// Whether writes say their position, and reads wait for it.
    pub(super) has_positions: bool,
}

/// What this server does.
pub(super) const NOW: Callers = Callers { who: by_table, has_keys: true, has_positions: true };

/// Who may use an operation, by the route table.
fn by_table(method: &str, path: &str) -> &'static str {
    let bare = path.strip_prefix("/v1").unwrap_or(path);
    let is_it = |route: &&routes::Route| route.method == method && route.path == bare;
    routes::routes().iter().find(is_it).map_or("anybody", |route| route.who)
}

/// Whoever watches the server is asked for nothing and never limited.
const PROBES: [&str; 3] = ["/livez", "/readyz", "/healthz"];

/// A POST that changes nothing.
const PLAN: &str = "/v1/orders/plan";

/// The commands whose effect is not remembered: what they answer is a secret, or they have none.
const WITHOUT_KEY: [&str; 5] =
    [PLAN, "/v1/register", "/v1/login", "/v1/token/refresh", "/v1/logout"];

impl Callers {
    /// The refusals that follow from who asks.
    pub(super) fn refusals(&self, method: &str, path: &str) -> Vec<&'static str> {
        let mut statuses = match (self.who)(method, path) {
            "anybody" => vec![],
            "public" => vec!["401"],
            _ => vec!["401", "403"],
        };
        if !PROBES.contains(&path) {
            statuses.push("429");
        }
        if self.takes_key(method, path) {
            statuses.push("409");
        }
        statuses
    }

    /// Whether some of those who may use an operation are limited: staff and admins are not.
    fn limits(&self, method: &str, path: &str) -> bool {
        !PROBES.contains(&path) && !matches!((self.who)(method, path), "staff" | "admin")
    }

    fn takes_key(&self, method: &str, path: &str) -> bool {
        self.has_keys && matches!(method, "POST" | "PATCH") && !WITHOUT_KEY.contains(&path)
    }

    /// Adds who may use an operation, and the headers that it takes and gives.
    pub(super) fn describe(&self, method: &str, path: &str, operation: &mut Operation) {
        operation.security = match (self.who)(method, path) {
            "anybody" => None,
            "public" => {
                let bearer = SecurityRequirement::new("bearer", [""; 0]);
                Some(vec![SecurityRequirement::default(), bearer])
            }
            role => Some(vec![SecurityRequirement::new("bearer", [role])]),
        };
        if self.takes_key(method, path) {
            take(
                operation,
                &json!({
                    "name": "Idempotency-Key", "in": "header", "required": false,
                    "description": "The same request under the same key has one effect, and is answered like the first time.",
                    "schema": {"$ref": "#/components/schemas/IdempotencyKey"},
                }),
            );
            say(
                operation,
                "Idempotent-Replayed",
                &json!({
                    "description": "Present when this is the answer of the first time.",
                    "schema": {"type": "string", "enum": ["true"]},
                }),
            );
        }
        if self.limits(method, path) {
            for (name, description) in [
                ("RateLimit", "What is left, for each limit; absent where the caller has none."),
                ("RateLimit-Policy", "What is allowed, for each limit."),
            ] {
                say(
                    operation,
                    name,
                    &json!({"description": description, "schema": {"type": "string"}}),
                );
            }
        }
        if !self.has_positions || !path.starts_with("/v1/") {
            return;
        }
        if method == "GET" || path == PLAN {
            take(
                operation,
                &json!({
                    "name": "Stockade-Min-Position", "in": "header", "required": false,
                    "description": "The `Stockade-Position` that the answer must have seen; waited for, and not for long.",
                    "schema": {"type": "string", "pattern": "^[0-9a-f]{8}-[0-9a-f]{1,16}$"},
                }),
            );
        } else {
            say(
                operation,
                "Stockade-Position",
                &json!({
                    "description": "Where this write can be read: for `Stockade-Min-Position`. A refusal says where what it saw can be.",
                    "schema": {"type": "string"},
                }),
            );
        }
    }
}

/// Adds a parameter.
fn take(operation: &mut Operation, parameter: &Value) {
    let added = parameters(json!([parameter])).into_iter().map(RefOr::T);
    operation.parameters.get_or_insert_default().extend(added);
}

/// Adds a header to every success.
fn say(operation: &mut Operation, name: &str, header: &Value) {
    let responses = &mut operation.responses.responses;
    for (_, response) in responses.iter_mut().filter(|(status, _)| status.starts_with('2')) {
        if let RefOr::T(response) = response {
            let header = serde_json::from_value(header.clone());
            response.headers.insert(name.to_owned(), header.expect("it is written here"));
        }
    }
}
