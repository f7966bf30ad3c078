use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use serde::{Deserialize, Serialize};
use stockade_actors::Engine;
use stockade_domain::account::{Account, PersonalChange, Role};

use super::{AccountView, done, person, prove, refused};
use crate::{
    answer::{self, Cached},
    caller::Caller,
    command::Acting,
    etag::Expected,
    extract::Input,
    fields::{Patch, ReadOnly},
    passwords::Password,
    problem::{Code, Problem},
    query::Params,
    state::Shared,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PatchProfileBody {
    #[serde(default)]
    email: Patch<String>,
    #[serde(default)]
    username: Patch<String>,
    #[serde(default)]
    name: Patch<String>,
    version: Option<u32>,
    #[serde(rename = "id", default)]
    _id: ReadOnly,
    #[serde(rename = "role", default)]
    _role: ReadOnly,
    #[serde(rename = "created_at", default)]
    _created_at: ReadOnly,
    #[serde(rename = "updated_at", default)]
    _updated_at: ReadOnly,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordBody {
    current_password: Password,
    new_password: Password,
}

/// Somebody who has no account.
#[derive(Serialize)]
struct Stranger<'a> {
    id: Option<u64>,
    username: &'a str,
    role: &'static str,
}

/// `GET /profile`.
pub(crate) async fn get(
    req: HttpRequest,
    state: Shared,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    Params::of(&req).finish()?;
    let engine = &state.engine;
    let stranger = |username: &str, role: Role| {
        Ok(answer::ok(&Stranger { id: None, username, role: role.name() }))
    };
    match caller {
        Caller::Local => stranger("local", Role::Admin),
        Caller::ApiKey(id) => {
            let key = engine.api_keys().into_iter().find(|key| key.id == id);
            stranger(key.as_ref().map_or("", |key| &key.name), Role::Staff)
        }
        Caller::Anonymous | Caller::Account { .. } => {
            let account = own(engine, caller)?;
            let view = AccountView::of(engine, &account);
            Ok(answer::seen(&req, account.version, Cached::Never, &view))
        }
    }
}

/// The caller's account.
fn own(engine: &Engine, caller: Caller) -> Result<Arc<Account>, Problem> {
    let account = caller.account().and_then(|id| engine.account(id));
    account.filter(|account| !account.is_erased()).ok_or_else(|| {
        let detail = "the caller has no account, so that there is no profile to change";
        Problem::new(StatusCode::NOT_FOUND, Code::NotFound, detail)
    })
}

/// `PATCH /profile`.
pub(crate) async fn patch(
    req: HttpRequest,
    acting: Acting,
    caller: Caller,
    body: Input<PatchProfileBody>,
) -> Result<HttpResponse, Problem> {
    let now = own(&acting, caller)?;
    let body = body.valid()?;
    let expected = Expected::of(&req, body.version);
    let version = expected.check(now.version)?;
    let change = person(body.email, body.username, body.name);
    let account = acting.change_account(now.id, version, change).await;
    let account = account.map_err(refused(&expected))?;
    Ok(done(&req, &acting, &account))
}

/// `POST /profile/password`: another password. It ends all sessions, the caller's too.
pub(crate) async fn change_password(
    req: HttpRequest,
    state: Shared,
    acting: Acting,
    caller: Caller,
    body: Input<PasswordBody>,
) -> Result<HttpResponse, Problem> {
    let now = own(&acting, caller)?;
    let body = body.valid()?;
    prove(&req, &state, acting.personal(&now).as_ref(), body.current_password).await?;
    let password = state.passwords.hash("/new_password", body.new_password).await?;
    let change = PersonalChange { password: Some(password), ..PersonalChange::default() };
    // Of two who change it at once, the second proved a password that is none any more.
    let account = acting.change_account(now.id, Some(now.version), change).await;
    let account = account.map_err(refused(&Expected::Nothing))?;
    Ok(done(&req, &acting, &account))
}
