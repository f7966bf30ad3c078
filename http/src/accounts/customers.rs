use std::sync::Arc;

use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, dev::Payload, web::Path};
use futures_util::future::{Ready, ready};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;
use stockade_actors::Engine;
use stockade_domain::{
    CustomerId,
    account::{Account, AccountId, Personal, PersonalChange, Role},
};
use utoipa::ToSchema;

use super::{AccountView, RoleBody, done, person, refused};
use crate::{
    answer::{self, Cached},
    caller::{Access, Caller},
    command::Acting,
    etag::Expected,
    extract::Input,
    fields::{Patch, ReadOnly, not_null},
    first_password,
    gate::{self, Body},
    openapi::{
        answers::{Changed, Conflict, IfMatch, Made, Many, Nothing, One, Paging},
        kinds,
    },
    page::Page,
    passwords::Password,
    problem::Problem,
    query::Params,
    refusals::{locating, plain},
    state::{Shared, State},
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = NewCustomer,
    examples(json!({"name": "Grace", "email": "grace@example.com"}))
)]
pub(crate) struct NewCustomerBody {
    #[schema(value_type = Option<kinds::Text>)]
    name: Option<String>,
    #[schema(value_type = Option<kinds::Email>)]
    email: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = PatchCustomer,
    examples(json!({"name": "Grace H.", "email": null}))
)]
pub(crate) struct PatchCustomerBody {
    #[serde(default)]
    #[schema(value_type = Option<kinds::Email>)]
    email: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<kinds::Username>)]
    username: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<kinds::Text>)]
    name: Patch<String>,
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = RoleBody)]
    role: Option<RoleBody>,
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = kinds::NewPassword)]
    password: Option<Password>,
    #[schema(value_type = Option<kinds::Version>)]
    version: Option<u32>,
    #[serde(rename = "id", default)]
    _id: ReadOnly,
    #[serde(rename = "created_at", default)]
    _created_at: ReadOnly,
    #[serde(rename = "updated_at", default)]
    _updated_at: ReadOnly,
}

/// Only an admin changes a role or a password. Whoever else tries is told so before anything else of the request is looked at, as
/// by the roles of routes; a role that is sent back as it was read is no change.
pub(crate) struct Allowed;

/// What of a body only admins may change, whatever else is in it.
#[derive(Default, Deserialize)]
struct Reserved {
    role: Option<Value>,
    password: Option<IgnoredAny>,
}

impl FromRequest for Allowed {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let extensions = req.extensions();
        let caller = extensions.get().copied().unwrap_or(Caller::Anonymous);
        let body = extensions.get::<Body>();
        let Reserved { role, password } =
            body.and_then(|Body(body)| serde_json::from_slice(body).ok()).unwrap_or_default();
        let now = || {
            let state = req.app_data::<Shared>()?;
            let id = req.match_info().query("id").parse().ok()?;
            state.engine.account(AccountId::Customer(CustomerId(id)))
        };
        let is_change = |role: Value| now().is_none_or(|now| role != now.role.name());
        let is_reserved = password.is_some() || role.is_some_and(is_change);
        ready(match is_reserved && !caller.may(Access::Admin) {
            true => Err(gate::forbidden(Access::Admin)),
            false => Ok(Self),
        })
    }
}

/// A customer, erased or not. To a customer there is nobody but himself.
fn find(engine: &Engine, caller: Caller, id: u64) -> Result<Arc<Account>, Problem> {
    let customer = CustomerId(id);
    let is_seen = caller.customer().is_none_or(|own| own == customer);
    let account = engine.account(AccountId::Customer(customer));
    account.filter(|_| is_seen).ok_or_else(|| Problem::not_found("customer", id))
}

/// `GET /customers`: those that are not erased.
#[utoipa::path(
    get, path = "/customers", tag = "customers", summary = "A page of customers, without those that are erased",
    params(
        Paging,
        ("ids" = kinds::Ids, Query, description = "Just these, erased or not: all of them are one page unless `limit` says otherwise."),
        ("email" = String, Query, description = "Whoever has this e-mail address."),
        ("username" = String, Query, description = "Whoever has this username."),
    ),
    responses(Many<AccountView>),
)]
pub(crate) async fn list(req: HttpRequest, state: Shared) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&req);
    let engine = &state.engine;
    let show = |account: &Arc<Account>| AccountView::of(engine, account);
    let (page, ids) = Page::with_ids(&req, &mut params);
    let after = page.after_id(&mut params);
    let logins = [params.one("email"), params.one("username")];
    params.finish()?;
    let mut logins = logins.into_iter().flatten().map(|login| engine.account_by_login(&login));
    let found = match (logins.next(), ids) {
        (None, None) => engine.customers(after, page.look_for(), |account| !account.is_erased()),
        (None, Some(ids)) => {
            let find = |id| engine.account(AccountId::Customer(CustomerId(id)));
            let named = ids.into_iter().filter(|id| *id > after);
            named.filter_map(find).take(page.look_for()).collect()
        }
        (Some(first), ids) => {
            let id = first.as_ref().map(|account| account.id);
            let same = logins.all(|other| other.map(|account| account.id) == id);
            let fits = |account: &Arc<Account>| {
                let id = account.id.number();
                let is_named = ids.as_ref().is_none_or(|ids| ids.contains(&id));
                same && is_named && id > after && matches!(account.id, AccountId::Customer(_))
            };
            first.into_iter().filter(fits).collect()
        }
    };
    Ok(page.answer_by_id(&req, &found, |account| account.id.number(), show))
}

/// `GET /customers/{id}`. One that is erased is still there, as whom its orders name, and nobody knows who it was.
#[utoipa::path(
    get, path = "/customers/{id}", tag = "customers", summary = "One customer",
    responses(One<AccountView>),
)]
pub(crate) async fn get(
    req: HttpRequest,
    state: Shared,
    caller: Caller,
    id: Path<u64>,
) -> Result<HttpResponse, Problem> {
    let account = find(&state.engine, caller, *id)?;
    Params::of(&req).finish()?;
    let view = AccountView::of(&state.engine, &account);
    Ok(answer::seen(&req, account.version, Cached::Never, &view))
}

/// `POST /customers`: a customer who does not sign in.
#[utoipa::path(
    post, path = "/customers", tag = "customers",
    request_body = NewCustomerBody,
    responses(Made<AccountView>, Conflict),
)]
pub(crate) async fn create(
    req: HttpRequest,
    acting: Acting,
    body: Input<NewCustomerBody>,
) -> Result<HttpResponse, Problem> {
    let NewCustomerBody { name, email } = body.valid()?;
    let (name, email) = (name.map(Into::into), email.map(Into::into));
    let personal = Personal { name, email, ..Personal::default() };
    let account = acting.register(Role::Customer, personal).await.map_err(locating(plain))?;
    Ok(done(&req, &acting, &account))
}

/// `PATCH /customers/{id}`. What somebody may do, and by which password he signs in, is for admins to say.
#[utoipa::path(
    patch, path = "/customers/{id}", tag = "customers", summary = "Changes a customer; a role, in a request of its own",
    params(IfMatch), request_body = PatchCustomerBody,
    responses(Changed<AccountView>, Conflict),
)]
pub(crate) async fn patch(
    _: Allowed,
    req: HttpRequest,
    state: Shared,
    acting: Acting,
    caller: Caller,
    id: Path<u64>,
    body: Input<PatchCustomerBody>,
) -> Result<HttpResponse, Problem> {
    let now = find(&acting, caller, *id)?;
    change(&req, &state, &acting, caller, &now, body.valid()?).await
}

/// Changes an account of either kind.
pub(super) async fn change(
    req: &HttpRequest,
    state: &State,
    acting: &Acting,
    caller: Caller,
    now: &Account,
    body: PatchCustomerBody,
) -> Result<HttpResponse, Problem> {
    let engine: &Engine = acting;
    // To anybody else it is what he read, and may have changed since.
    let role = body.role.map(Role::from).filter(|_| caller.may(Access::Admin));
    let role = role.filter(|role| *role != now.role);
    let expected = Expected::of(req, body.version);
    let version = expected.version(now.version);
    let mut change = person(body.email, body.username, body.name);
    let is_of_staff_password = body.password.is_some() && matches!(now.id, AccountId::Account(_));
    let old = engine.personal(now).and_then(|person| person.password);
    let says_who = body.password.is_some() || is_another(engine, now, &change);
    let account = match role {
        // One request is one change, whole or not at all.
        Some(_) if says_who => {
            return Err(Problem::field("/role", "must be changed in a request of its own"));
        }
        Some(role) => engine.set_role(now.id, version, role).await,
        None => {
            if let Some(password) = body.password {
                change.password = Some(state.passwords.hash("/password", password).await?);
            }
            engine.change_account(now.id, version, change).await
        }
    };
    let account = account.map_err(refused(&expected))?;
    if is_of_staff_password {
        first_password::was_replaced(state, old).await;
    }
    Ok(done(req, engine, &account))
}

/// Whether a change would change anything: a client may send back all that it got.
fn is_another(engine: &Engine, account: &Account, change: &PersonalChange) -> bool {
    let now = engine.personal(account).unwrap_or_default();
    now.changed(change.clone()) != now
}

/// `DELETE /customers/{id}`: forgets who it was. The orders stay.
#[utoipa::path(
    delete,
    path = "/customers/{id}",
    tag = "customers",
    params(IfMatch),
    responses(Nothing, Conflict)
)]
pub(crate) async fn erase(
    req: HttpRequest,
    acting: Acting,
    caller: Caller,
    id: Path<u64>,
) -> Result<HttpResponse, Problem> {
    let now = find(&acting, caller, *id)?;
    Params::of(&req).finish()?;
    let expected = Expected::of(&req, None);
    if now.is_erased() {
        expected.check(now.version)?;
    } else {
        let version = expected.version(now.version);
        acting.erase_account(now.id, version).await.map_err(refused(&expected))?;
    }
    Ok(answer::nothing())
}
