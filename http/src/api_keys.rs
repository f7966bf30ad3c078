//! `/api-keys`: by which machines sign in as staff.

use actix_web::{HttpRequest, HttpResponse, web::Path};
use serde::{Deserialize, Serialize};
use stockade_actors::MadeApiKey;
use stockade_domain::{ApiKeyId, account::ApiKey};
use utoipa::ToSchema;

use crate::{
    answer,
    command::Acting,
    extract::Input,
    openapi::{
        answers::{Conflict, Done, Made, Many, Nothing, Paging},
        kinds,
    },
    page::Page,
    problem::Problem,
    query::Params,
    refusals::{locating, plain},
    state::Shared,
    time::Time,
};

/// What a machine signs in with, as staff.
#[derive(Serialize, ToSchema)]
#[schema(
    as = ApiKey,
    examples(json!({"id": 1, "name": "warehouse scanner", "created_at": "2026-01-31T12:00:00.000Z"}))
)]
pub(crate) struct ApiKeyView<'a> {
    #[schema(value_type = kinds::Id)]
    id: ApiKeyId,
    name: &'a str,
    created_at: Time,
    /// Shown once, to whoever made it: it is kept nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    token: Option<&'a str>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = NewApiKey,
    examples(json!({"name": "warehouse scanner"}))
)]
pub(crate) struct NewApiKeyBody {
    #[schema(value_type = kinds::Text)]
    name: String,
}

fn view<'a>(key: &'a ApiKey, token: Option<&'a str>) -> ApiKeyView<'a> {
    ApiKeyView { id: key.id, name: &key.name, created_at: Time(key.created_at), token }
}

/// `GET /api-keys`: those that are good.
#[utoipa::path(
    get, path = "/api-keys", tag = "api-keys", summary = "A page of API keys, without those that are revoked",
    params(Paging),
    responses(Many<ApiKeyView<'static>>),
)]
pub(crate) async fn list(req: HttpRequest, state: Shared) -> Result<HttpResponse, Problem> {
    let (page, after) = Page::by_id(&req)?;
    let mut keys = state.engine.api_keys();
    keys.retain(|key| key.id.0 > after);
    Ok(page.answer_by_id(&req, &keys, |key| key.id.0, |key| view(key, None)))
}

/// `GET /api-keys/{id}`: one that is good.
#[utoipa::path(
    get, path = "/api-keys/{id}", tag = "api-keys", summary = "One API key, without its token",
    responses(Done<ApiKeyView<'static>>),
)]
pub(crate) async fn get(
    req: HttpRequest,
    state: Shared,
    id: Path<u64>,
) -> Result<HttpResponse, Problem> {
    let key = state.engine.api_keys().into_iter().find(|key| key.id.0 == *id);
    let key = key.ok_or_else(|| Problem::not_found("api key", *id))?;
    Params::of(&req).finish()?;
    Ok(answer::ok(&view(&key, None)))
}

/// `POST /api-keys`.
#[utoipa::path(
    post, path = "/api-keys", tag = "api-keys", summary = "Makes an API key; its token is shown this once",
    request_body = NewApiKeyBody,
    responses(Made<ApiKeyView<'static>>, Conflict),
)]
pub(crate) async fn create(
    req: HttpRequest,
    acting: Acting,
    body: Input<NewApiKeyBody>,
) -> Result<HttpResponse, Problem> {
    let NewApiKeyBody { name } = body.valid()?;
    let (key, text) = acting.create_api_key(name).await.map_err(locating(plain))?;
    Ok(done(&req, &MadeApiKey { key, text: Some(text) }))
}

/// The answer to an API key that was made.
pub(crate) fn done(req: &HttpRequest, made: &MadeApiKey) -> HttpResponse {
    let MadeApiKey { key, text } = made;
    answer::created(req, format_args!("/api-keys/{}", key.id), &view(key, text.as_deref()))
}

/// `DELETE /api-keys/{id}`.
#[utoipa::path(
    delete,
    path = "/api-keys/{id}",
    tag = "api-keys",
    summary = "Revokes an API key",
    responses(Nothing)
)]
pub(crate) async fn revoke(
    req: HttpRequest,
    acting: Acting,
    id: Path<u64>,
) -> Result<HttpResponse, Problem> {
    Params::of(&req).finish()?;
    acting.revoke_api_key(ApiKeyId(*id)).await?;
    Ok(answer::nothing())
}
