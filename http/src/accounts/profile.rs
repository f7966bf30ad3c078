use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use serde::{Deserialize, Serialize};
use stockade_actors::Engine;
use stockade_domain::account::{Account, AccountId, PersonalChange, Role};
use utoipa::ToSchema;

use super::{AccountView, RoleBody, done, person, prove, refused};
use crate::{
    answer::{self, Cached},
    caller::Caller,
    command::Acting,
    etag::Expected,
    extract::Input,
    fields::{Patch, ReadOnly},
    first_password,
    openapi::{
        answers::{Changed, Conflict, IfMatch, NoAccount, One},
        kinds,
    },
    passwords::Password,
    problem::{Code, Fault, Problem},
    query::Params,
    state::Shared,
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = PatchProfile,
    examples(json!({"name": "Ada L.", "username": "ada.l"}))
)]
pub(crate) struct PatchProfileBody {
    #[serde(default)]
    #[schema(value_type = Option<kinds::Email>)]
    email: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<kinds::Username>)]
    username: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<kinds::Text>)]
    name: Patch<String>,
    #[schema(value_type = Option<kinds::Version>)]
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

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = ChangePassword,
    examples(json!({"current_password": "correct horse", "new_password": "battery staple"}))
)]
pub(crate) struct PasswordBody {
    #[schema(value_type = String, format = Password)]
    current_password: Password,
    #[schema(value_type = kinds::NewPassword)]
    new_password: Password,
}

/// Somebody who has no account.
#[derive(Serialize, ToSchema)]
#[schema(
    as = Stranger,
    examples(json!({"id": null, "username": "local", "role": "admin"}))
)]
pub(crate) struct Stranger<'a> {
    #[schema(value_type = kinds::NoId)]
    id: Option<u64>,
    username: &'a str,
    #[schema(value_type = RoleBody)]
    role: &'static str,
}

/// `GET /profile`.
#[utoipa::path(
    get, path = "/profile", tag = "profile", summary = "Who the caller is",
    responses(One<kinds::Profile>),
)]
pub(crate) async fn get_profile(
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
#[utoipa::path(
    patch, path = "/profile", tag = "profile", summary = "Changes the caller's account",
    params(IfMatch), request_body = PatchProfileBody,
    responses(Changed<AccountView>, Conflict, NoAccount),
)]
pub(crate) async fn patch_profile(
    req: HttpRequest,
    acting: Acting,
    caller: Caller,
    body: Input<PatchProfileBody>,
) -> Result<HttpResponse, Problem> {
    let now = own(&acting, caller)?;
    let body = body.valid()?;
    let expected = Expected::of(&req, body.version);
    let version = expected.version(now.version);
    let change = person(body.email, body.username, body.name);
    let account = acting.change_account(now.id, version, change).await;
    let account = account.map_err(refused(&expected))?;
    Ok(done(&req, &acting, &account))
}

/// Who he is is known by his token; a 401 would tell his client that it is not.
fn not_the_current() -> Problem {
    let (code, detail) = (Code::InvalidCredentials, "is not the password of this account");
    Problem::unprocessable(code, vec![Fault::body("/current_password", code, detail)])
}

/// `POST /profile/password`: another password. It ends all sessions, the caller's too.
#[utoipa::path(
    post, path = "/profile/password", tag = "profile",
    request_body = PasswordBody,
    responses(Changed<AccountView>, Conflict, NoAccount),
)]
pub(crate) async fn change_password(
    req: HttpRequest,
    state: Shared,
    acting: Acting,
    caller: Caller,
    body: Input<PasswordBody>,
) -> Result<HttpResponse, Problem> {
    let now = own(&acting, caller)?;
    let body = body.valid()?;
    let PasswordBody { current_password: old, new_password: new } = body;
    let person = acting.personal(&now);
    prove(&req, &state, person.as_ref(), old.clone(), not_the_current).await?;
    let is_another = old.0 != new.0;
    let password = state.passwords.hash("/new_password", new).await?;
    let change = PersonalChange { password: Some(password), ..PersonalChange::default() };
    // Of two who change it at once, the second proved a password that is none any more.
    let account = acting.change_account(now.id, Some(now.version), change).await;
    let account = account.map_err(refused(&Expected::Nothing))?;
    if is_another && matches!(account.id, AccountId::Account(_)) {
        first_password::was_changed(&acting, old).await;
    }
    Ok(done(&req, &acting, &account))
}
