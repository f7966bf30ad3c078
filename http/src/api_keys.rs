//! `/api-keys`: by which machines sign in as staff.

use actix_web::{HttpRequest, HttpResponse, web::Path};
use serde::{Deserialize, Serialize};
use stockade_domain::{ApiKeyId, account::ApiKey};

use crate::{
    answer,
    extract::Input,
    page::Page,
    problem::Problem,
    query::Params,
    refusals::{locating, plain},
    state::Shared,
    time::Time,
};

#[derive(Serialize)]
struct ApiKeyView<'a> {
    id: ApiKeyId,
    name: &'a str,
    created_at: Time,
    /// Shown once: it is kept nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewApiKeyBody {
    name: String,
}

fn view<'a>(key: &'a ApiKey, token: Option<&'a str>) -> ApiKeyView<'a> {
    ApiKeyView { id: key.id, name: &key.name, created_at: Time(key.created_at), token }
}

/// `GET /api-keys`: those that are good.
pub(crate) async fn list(req: HttpRequest, state: Shared) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&req);
    let page = Page::of(&req, &mut params);
    let after = page.after_id(&mut params);
    params.finish()?;
    let mut keys = state.engine.api_keys();
    keys.retain(|key| key.id.0 > after);
    Ok(page.answer_by_id(&req, &keys, |key| key.id.0, |key| view(key, None)))
}

/// `POST /api-keys`.
pub(crate) async fn create(
    req: HttpRequest,
    state: Shared,
    body: Input<NewApiKeyBody>,
) -> Result<HttpResponse, Problem> {
    let NewApiKeyBody { name } = body.valid()?;
    let (key, token) = state.engine.create_api_key(name).await.map_err(locating(plain))?;
    let place = format_args!("/api-keys/{}", key.id);
    Ok(answer::created(&req, place, &view(&key, Some(&token))))
}

/// `DELETE /api-keys/{id}`.
pub(crate) async fn revoke(
    req: HttpRequest,
    state: Shared,
    id: Path<u64>,
) -> Result<HttpResponse, Problem> {
    Params::of(&req).finish()?;
    state.engine.revoke_api_key(ApiKeyId(*id)).await?;
    Ok(answer::nothing())
}
