//! Accounts: who signs in, customers, and what everybody may see and change of himself.

mod customers;
mod profile;
mod sign_in;
pub(crate) mod staff;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header::WWW_AUTHENTICATE},
};
use serde::{Deserialize, Serialize};
use stockade_actors::{Engine, Error};
use stockade_domain::{
    Refusal,
    account::{Account, AccountId, Personal, PersonalChange, Role},
};

use utoipa::ToSchema;

pub(crate) use customers::{
    __path_create, __path_erase, __path_get, __path_list, __path_patch, create, erase, get, list,
    patch,
};
pub(crate) use profile::{
    __path_change_password, __path_get_profile, __path_patch_profile, Stranger, change_password,
    get_profile, patch_profile,
};
pub(crate) use sign_in::{
    __path_login, __path_logout, __path_refresh, __path_register, TokensView, login, logout,
    refresh, register,
};

use crate::{
    answer, client,
    etag::Expected,
    fields::Patch,
    gate::CHALLENGE,
    openapi::kinds,
    passwords::{Checked, Password},
    problem::{Code, Problem},
    refusals::{locating, plain},
    state::State,
    time::Time,
};

/// An account, as those read it who may. Of one that is erased everything personal is null.
#[derive(Serialize, ToSchema)]
#[schema(
    as = Account,
    examples(json!({"id": 1, "username": "ada", "email": "ada@example.com", "name": "Ada", "role": "customer", "created_at": "2026-01-31T12:00:00.000Z", "updated_at": "2026-01-31T12:00:00.000Z", "version": 1}))
)]
pub(crate) struct AccountView {
    #[schema(value_type = kinds::Id)]
    id: u64,
    #[schema(value_type = Option<String>)]
    username: Option<Box<str>>,
    #[schema(value_type = Option<String>)]
    email: Option<Box<str>>,
    #[schema(value_type = Option<String>)]
    name: Option<Box<str>>,
    #[schema(value_type = RoleBody)]
    role: &'static str,
    created_at: Time,
    updated_at: Time,
    #[schema(value_type = kinds::Version)]
    version: u32,
}

impl AccountView {
    fn of(engine: &Engine, account: &Account) -> Self {
        // The hash of the password goes no further than here.
        let Personal { email, username, name, password: _ } =
            engine.personal(account).unwrap_or_default();
        Self {
            id: account.id.number(),
            username,
            email,
            name,
            role: account.role.name(),
            created_at: Time(account.created_at),
            updated_at: Time(account.updated_at),
            version: account.version,
        }
    }
}

/// The answer to a command about an account.
pub(crate) fn done(req: &HttpRequest, engine: &Engine, account: &Account) -> HttpResponse {
    let view = AccountView::of(engine, account);
    let place = match account.id {
        AccountId::Customer(id) => format!("/customers/{id}"),
        AccountId::Account(id) => format!("/accounts/{id}"),
    };
    answer::done_tagged(req, format_args!("{place}"), account.version, &view)
}

/// The name of a role.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(
    as = Role,
    examples(json!("customer"))
)]
enum RoleBody {
    Customer,
    Staff,
    Admin,
}

impl From<RoleBody> for Role {
    fn from(role: RoleBody) -> Self {
        match role {
            RoleBody::Customer => Self::Customer,
            RoleBody::Staff => Self::Staff,
            RoleBody::Admin => Self::Admin,
        }
    }
}

/// What of a person a patch may change.
fn person(email: Patch<String>, username: Patch<String>, name: Patch<String>) -> PersonalChange {
    PersonalChange {
        email: email.optional(),
        username: username.optional(),
        name: name.optional(),
        ..PersonalChange::default()
    }
}

/// What a client reads whose change was refused.
fn refused(expected: &Expected) -> impl FnOnce(Error) -> Problem {
    |error| match error {
        Error::Refused(Refusal::VersionConflict { current, .. }) => expected.stale(current),
        error => locating(plain)(error),
    }
}

/// Compares a password with that of a person, as often as an address may be wrong about one. `wrong` is what whoever is wrong reads.
async fn prove(
    req: &HttpRequest,
    state: &State,
    person: Option<&Personal>,
    password: Password,
    wrong: fn() -> Problem,
) -> Result<Checked, Problem> {
    let address = client::address(req, &state.trusted_proxies);
    let limits = state.limits.as_ref().zip(address);
    if let Some((limits, address)) = limits {
        limits.check_login(address)?.iter().for_each(|standing| standing.note(req));
    }
    let hash = person.and_then(|person| person.password.clone());
    let checked = state.passwords.check(password, hash).await;
    // Whoever stops waiting is not known to have been right.
    if let (Some((limits, address)), Err(_) | Ok(Checked::Right | Checked::Outdated(_))) =
        (limits, &checked)
    {
        limits.login_did_not_fail(address);
    }
    match checked? {
        Checked::Wrong => Err(wrong()),
        right => Ok(right),
    }
}

/// The same words whether there is such an account or not.
fn wrong() -> Problem {
    let detail = "no account has this name and password";
    Problem::new(StatusCode::UNAUTHORIZED, Code::InvalidCredentials, detail)
        .with_header(WWW_AUTHENTICATE, CHALLENGE)
}
