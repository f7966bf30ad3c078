//! What operations answer, in the words of `#[utoipa::path(responses(...))]`.

use std::{collections::BTreeMap, marker::PhantomData};

use serde_json::{Value, json};
use utoipa::{
    IntoParams, IntoResponses, ToSchema,
    openapi::{
        Ref, RefOr,
        path::{Parameter, ParameterIn},
        response::Response,
    },
};

type Responses = BTreeMap<String, RefOr<Response>>;

fn responses(json: Value) -> Responses {
    serde_json::from_value(json).expect("it is written here, and the document's tests build it")
}

/// A reference to the schema of a type.
fn to<T: ToSchema>() -> Value {
    json!({"$ref": format!("#/components/schemas/{}", T::name())})
}

fn with_json(description: &str, schema: &Value) -> Value {
    json!({"description": description, "content": {"application/json": {"schema": schema}}})
}

/// 200 with one thing and its ETag, and 304 for a client that has it.
pub(crate) struct One<T>(PhantomData<T>);

/// 200 with a page of things.
pub(crate) struct Many<T>(PhantomData<T>);

/// 200 with a page of what happened: there is always a next one.
pub(crate) struct Feed<T>(PhantomData<T>);

/// 201 with a new thing, and where it is.
pub(crate) struct Made<T>(PhantomData<T>);

/// 201 with something that has no place of its own.
pub(crate) struct Told<T>(PhantomData<T>);

/// 200 with what became of a thing.
pub(crate) struct Done<T>(PhantomData<T>);

/// 200 with what became of a thing, and its new ETag.
pub(crate) struct Changed<T>(PhantomData<T>);

/// 204.
pub(crate) struct Nothing;

/// 409: what there is does not allow it.
pub(crate) struct Conflict;

/// 428: it needs an `If-Match`.
pub(crate) struct Unconditional;

/// 429: too many of its kind are alive.
pub(crate) struct TooMany;

/// 503, where nothing else says so.
pub(crate) struct Unavailable;

/// 401: what the body proves is wrong, whoever the caller is.
pub(crate) struct WrongCredentials;

/// 404: the caller has no account.
pub(crate) struct NoAccount;

/// 410: it was there and has expired.
pub(crate) struct Expired;

impl<T: ToSchema> IntoResponses for One<T> {
    fn responses() -> Responses {
        let mut found = with_json("What is asked for.", &to::<T>());
        found["headers"] = json!({"ETag": etag()});
        let same =
            json!({"description": "The client has it already.", "headers": {"ETag": etag()}});
        responses(json!({"200": found, "304": same}))
    }
}

impl<T: ToSchema> IntoResponses for Many<T> {
    fn responses() -> Responses {
        let cursor = json!({
            "type": ["string", "null"],
            "description": "The `cursor` of the next page; null at the end.",
        });
        page::<T>(&cursor, "Where the next page is, `rel=\"next\"`; absent at the end.")
    }
}

impl<T: ToSchema> IntoResponses for Feed<T> {
    fn responses() -> Responses {
        let cursor = json!({
            "type": "string",
            "description": "The `cursor` of the next page; never null, because more will happen.",
        });
        page::<T>(&cursor, "Where the next page is, `rel=\"next\"`.")
    }
}

/// 200 with a page: what its cursor is, and its `Link`.
fn page<T: ToSchema>(next_cursor: &Value, link: &str) -> Responses {
    let list = json!({
        "type": "object",
        "properties": {
            "data": {"type": "array", "items": to::<T>()},
            "next_cursor": next_cursor,
        },
        "required": ["data", "next_cursor"],
    });
    let mut page = with_json("A page.", &list);
    page["headers"] = json!({"Link": {"description": link, "schema": {"type": "string"}}});
    responses(json!({"200": page}))
}

impl<T: ToSchema> IntoResponses for Made<T> {
    fn responses() -> Responses {
        let mut made = with_json("It is made.", &to::<T>());
        let text = json!({"type": "string"});
        made["headers"] = json!({
            "Location": {"description": "Where it is.", "schema": text},
            "ETag": {"description": "Its version, where that can be named by `If-Match`.", "schema": text},
        });
        responses(json!({"201": made}))
    }
}

impl<T: ToSchema> IntoResponses for Told<T> {
    fn responses() -> Responses {
        responses(json!({"201": with_json("It is done.", &to::<T>())}))
    }
}

impl<T: ToSchema> IntoResponses for Done<T> {
    fn responses() -> Responses {
        responses(json!({"200": with_json("It is done.", &to::<T>())}))
    }
}

impl<T: ToSchema> IntoResponses for Changed<T> {
    fn responses() -> Responses {
        let mut changed = with_json("It is done.", &to::<T>());
        changed["headers"] = json!({"ETag": etag()});
        responses(json!({"200": changed}))
    }
}

impl IntoResponses for Nothing {
    fn responses() -> Responses {
        responses(json!({"204": {"description": "It is done."}}))
    }
}

impl IntoResponses for Conflict {
    fn responses() -> Responses {
        responses(json!({"409": problem("What there is now does not allow it: `code` says why.")}))
    }
}

impl IntoResponses for Unconditional {
    fn responses() -> Responses {
        shared("428", "PreconditionRequired")
    }
}

impl IntoResponses for Unavailable {
    fn responses() -> Responses {
        shared("503", "Unavailable")
    }
}

impl IntoResponses for TooMany {
    fn responses() -> Responses {
        responses(
            json!({"429": problem("There are too many live reservations, or too many requests: `code` says which.")}),
        )
    }
}

impl IntoResponses for WrongCredentials {
    fn responses() -> Responses {
        let mut wrong = problem("The password or the token is no good: `code` says which.");
        wrong["headers"] = json!({"WWW-Authenticate": {"schema": {"type": "string"}}});
        responses(json!({"401": wrong}))
    }
}

impl IntoResponses for NoAccount {
    fn responses() -> Responses {
        responses(json!({"404": problem("The caller has no account.")}))
    }
}

fn shared(status: &str, name: &str) -> Responses {
    [(status.to_owned(), RefOr::Ref(Ref::from_response_name(name)))].into()
}

impl IntoResponses for Expired {
    fn responses() -> Responses {
        responses(json!({"410": problem("It has expired.")}))
    }
}

fn etag() -> Value {
    json!({
        "description": "The version and a hash of the body, for `If-None-Match` and `If-Match`.",
        "schema": {"type": "string"},
    })
}

/// An answer that is a problem.
pub(super) fn problem(description: &str) -> Value {
    json!({
        "description": description,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    })
}

/// The parameters of every list: which page.
pub(crate) struct Paging;

/// The condition that a change may carry.
pub(crate) struct IfMatch;

impl IntoParams for Paging {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        parameters(json!([
            {
                "name": "limit", "in": "query", "required": false,
                "description": "The most rows of the page.",
                "schema": {
                    "type": "integer", "minimum": 1, "maximum": crate::page::LIMIT_MAX,
                    "default": crate::page::LIMIT_DEFAULT,
                },
            },
            {
                "name": "cursor", "in": "query", "required": false,
                "description": "The `next_cursor` of the page before, with the same filters.",
                "schema": {"type": "string", "pattern": "^([0-9a-f]{2}){8,}$"},
            },
        ]))
    }
}

impl IntoParams for IfMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        parameters(json!([{
            "name": "If-Match", "in": "header", "required": false,
            "description": "Do it only if this ETag's version is still the present one; `*` is any.",
            "schema": {"type": "string", "pattern": "^(\\*|(W/)?\"[!#-~]*\")$"},
        }]))
    }
}

/// Parameters as the document writes them.
pub(crate) fn parameters(json: Value) -> Vec<Parameter> {
    serde_json::from_value(json).expect("it is written here, and the document's tests build it")
}
