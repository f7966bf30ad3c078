//! `/accounts`: staff and admins that were never customers. Only admins look after them.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web::Path};
use serde::Deserialize;
use stockade_actors::Engine;
use stockade_domain::account::{Account, AccountId, Personal, Role};
use utoipa::ToSchema;

use super::{
    AccountView,
    customers::{PatchCustomerBody, change},
    done,
};
use crate::{
    answer::{self, Cached},
    caller::Caller,
    command::Acting,
    extract::Input,
    openapi::{
        answers::{Changed, Conflict, IfMatch, Made, Many, One, Paging},
        kinds,
    },
    page::Page,
    passwords::Password,
    problem::Problem,
    query::Params,
    refusals::{locating, plain},
    state::Shared,
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = NewAccount,
    examples(json!({"username": "grace", "password": "correct horse battery", "role": "staff"}))
)]
pub(crate) struct NewAccountBody {
    #[schema(value_type = Option<kinds::Email>)]
    email: Option<String>,
    #[schema(value_type = Option<kinds::Username>)]
    username: Option<String>,
    #[schema(value_type = Option<kinds::Text>)]
    name: Option<String>,
    role: StaffRole,
    #[schema(value_type = kinds::NewPassword)]
    password: Password,
}

/// What an account that is no customer may do.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(
    as = StaffRole,
    examples(json!("staff"))
)]
enum StaffRole {
    Staff,
    Admin,
}

impl From<StaffRole> for Role {
    fn from(role: StaffRole) -> Self {
        match role {
            StaffRole::Staff => Self::Staff,
            StaffRole::Admin => Self::Admin,
        }
    }
}

fn find(engine: &Engine, id: u64) -> Result<Arc<Account>, Problem> {
    engine.account(AccountId::Account(id)).ok_or_else(|| Problem::not_found("account", id))
}

/// `GET /accounts`.
#[utoipa::path(
    get, path = "/accounts", tag = "accounts", summary = "A page of the accounts that are no customers",
    params(
        Paging,
        ("email" = String, Query, description = "Whoever has this e-mail address."),
        ("username" = String, Query, description = "Whoever has this username."),
    ),
    responses(Many<AccountView>),
)]
pub(crate) async fn list(req: HttpRequest, state: Shared) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&req);
    let engine = &state.engine;
    let page = Page::of(&req, &mut params);
    let after = page.after_id(&mut params);
    let logins = [params.one("email"), params.one("username")];
    params.finish()?;
    let named: Vec<_> = logins
        .iter()
        .flatten()
        .map(|login| engine.account_by_login(login).map(|account| account.id))
        .collect();
    let mut found = engine.accounts();
    found.retain(|account| {
        let is_named = named.iter().all(|id| *id == Some(account.id));
        account.id.number() > after && !account.is_erased() && is_named
    });
    let show = |account: &Arc<Account>| AccountView::of(engine, account);
    Ok(page.answer_by_id(&req, &found, |account| account.id.number(), show))
}

/// `GET /accounts/{id}`.
#[utoipa::path(
    get, path = "/accounts/{id}", tag = "accounts", summary = "One account",
    responses(One<AccountView>),
)]
pub(crate) async fn get(
    req: HttpRequest,
    state: Shared,
    id: Path<u64>,
) -> Result<HttpResponse, Problem> {
    let account = find(&state.engine, *id)?;
    Params::of(&req).finish()?;
    let view = AccountView::of(&state.engine, &account);
    Ok(answer::seen(&req, account.version, Cached::Never, &view))
}

/// `POST /accounts`: somebody who works here.
#[utoipa::path(
    post, path = "/accounts", tag = "accounts",
    request_body = NewAccountBody,
    responses(Made<AccountView>, Conflict),
)]
pub(crate) async fn create(
    req: HttpRequest,
    state: Shared,
    acting: Acting,
    body: Input<NewAccountBody>,
) -> Result<HttpResponse, Problem> {
    let NewAccountBody { email, username, name, role, password } = body.valid()?;
    let password = state.passwords.hash("/password", password).await?;
    let text = |field: Option<String>| field.map(Into::into);
    let personal = Personal {
        email: text(email),
        username: text(username),
        name: text(name),
        password: Some(password.into()),
    };
    let account = acting.register(role.into(), personal).await.map_err(locating(plain))?;
    Ok(done(&req, &acting, &account))
}

/// `PATCH /accounts/{id}`.
#[utoipa::path(
    patch, path = "/accounts/{id}", tag = "accounts", summary = "Changes an account; a role, in a request of its own",
    params(IfMatch), request_body = PatchCustomerBody,
    responses(Changed<AccountView>, Conflict),
)]
pub(crate) async fn patch(
    req: HttpRequest,
    state: Shared,
    acting: Acting,
    caller: Caller,
    id: Path<u64>,
    body: Input<PatchCustomerBody>,
) -> Result<HttpResponse, Problem> {
    let now = find(&acting, *id)?;
    change(&req, &state, &acting, caller, &now, body.valid()?).await
}
