use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use stockade_domain::{
    ApiKeyId, IdempotencyKey, Refusal, SessionId,
    account::{
        Account, AccountCommand, AccountId, ApiKey, LoginVersion, Personal, PersonalChange, Role,
        Session,
    },
    order::{Details, Order},
};

use super::Engine;
use crate::{
    Error,
    job::Job,
    lane::CATALOGUE_LANE,
    token::{self, RefreshToken, Secret},
    workflow::{AccountRequest, AccountThing},
};

/// Somebody who has just signed in, or gone on.
#[doc = include_str!("../../docs/signed_in.md")]
#[derive(Clone)]
pub struct SignedIn {
    /// As whom.
    pub account: Arc<Account>,
    /// In which session.
    pub session: Session,
    /// The only token that [`Engine::rotate_session`] takes next. It is kept nowhere.
    pub refresh_token: String,
}

// Whoever reads a log must not go on with it.
impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { account, session, .. } = self;
        f.debug_struct("SignedIn")
            .field("account", &account.id)
            .field("session", &session.id)
            .finish()
    }
}

/// An API key as whoever made it was answered.
#[doc = include_str!("../../docs/made_api_key.md")]
#[derive(Clone, PartialEq, Eq)]
pub struct MadeApiKey {
    /// The key.
    pub key: Arc<ApiKey>,
    /// By which a machine presents it. Nothing when the keyring that it was made by is lost.
    pub text: Option<String>,
}

// Whoever reads a log must not sign in by it.
impl fmt::Debug for MadeApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MadeApiKey").field("id", &self.key.id).finish()
    }
}

/// Accounts. What is personal goes in and comes out in plain, and stands everywhere else sealed under the account's own key.
impl Engine {
    async fn on_accounts(&self, request: AccountRequest) -> Result<AccountThing, Error> {
        self.run(CATALOGUE_LANE, 1, |reply| Job::Account { request, reply }).await
    }

    async fn change_accounts(&self, command: AccountCommand) -> Result<AccountThing, Error> {
        self.on_accounts(AccountRequest::Command(command)).await
    }

    /// Makes an account: a customer, or for staff and admins one of the other kind. Without a password hash nobody signs in
    /// by it.
    ///
    /// # Errors
    /// A field out of range, [`Refusal::EmailTaken`] or [`Refusal::UsernameTaken`].
    #[doc = include_str!("../../docs/register.md")]
    pub async fn register(&self, role: Role, personal: Personal) -> Result<Arc<Account>, Error> {
        account(self.on_accounts(AccountRequest::Register { role, personal }).await?)
    }

    /// Changes who an account is. A new password ends all its sessions.
    ///
    /// # Errors
    /// As [`Engine::register`]; a stale version, or an account that was erased.
    #[doc = include_str!("../../docs/change_account.md")]
    pub async fn change_account(
        &self,
        id: AccountId,
        expected: Option<u32>,
        change: PersonalChange,
    ) -> Result<Arc<Account>, Error> {
        let expected = self.expected(expected);
        account(self.on_accounts(AccountRequest::Change { id, expected, change }).await?)
    }

    /// Changes what an account may do. It ends all its sessions.
    ///
    /// # Errors
    /// [`Refusal::LastAdmin`], a stale version, or no such account.
    #[doc = include_str!("../../docs/set_role.md")]
    pub async fn set_role(
        &self,
        id: AccountId,
        expected: Option<u32>,
        role: Role,
    ) -> Result<Arc<Account>, Error> {
        let expected = self.expected(expected);
        account(self.change_accounts(AccountCommand::SetRole { id, expected, role }).await?)
    }

    /// Forgets who an account is, for ever: when this answers its key is dropped, and nobody can read any more what is in the
    /// journal of him and of his orders. The orders stay. Asked again it says the same again.
    ///
    /// # Errors
    /// [`Refusal::LastAdmin`], a stale version, or no such account.
    #[doc = include_str!("../../docs/erase_account.md")]
    pub async fn erase_account(
        &self,
        id: AccountId,
        expected: Option<u32>,
    ) -> Result<Arc<Account>, Error> {
        let expected = self.expected(expected);
        account(self.change_accounts(AccountCommand::Erase { id, expected }).await?)
    }

    /// Opens a session for somebody who has proved who he is; its refresh token is good for `ttl`. One session more than an
    /// account may have ends its oldest.
    ///
    /// # Errors
    /// No such account, or a time out of range.
    #[doc = include_str!("../../docs/open_session.md")]
    pub async fn open_session(&self, id: AccountId, ttl: Duration) -> Result<SignedIn, Error> {
        let (family, secret) = (Secret::random()?, Secret::random()?);
        let ttl_ms = ttl.as_millis() as u64;
        let (family_hash, token) = (family.hash(), secret.hash());
        let command = AccountCommand::OpenSession { id, family: family_hash, token, ttl_ms };
        signed_in(self.change_accounts(command).await?, family, secret)
    }

    /// Exchanges a refresh token for the next one, good for `ttl` from now.
    ///
    /// # Errors
    /// [`Refusal::RefreshTokenReused`]: it was exchanged before, and its session has ended now; [`Refusal::SessionEnded`] for any
    /// other token that is not good.
    #[doc = include_str!("../../docs/rotate_session.md")]
    pub async fn rotate_session(
        &self,
        refresh_token: &str,
        ttl: Duration,
    ) -> Result<SignedIn, Error> {
        let token = RefreshToken::read(refresh_token).ok_or(Refusal::SessionEnded)?;
        let next = Secret::random()?;
        let command = AccountCommand::RotateSession {
            id: token.account,
            session: token.session,
            family: token.family.hash(),
            presented: token.secret.hash(),
            next: next.hash(),
            ttl_ms: ttl.as_millis() as u64,
        };
        signed_in(self.change_accounts(command).await?, token.family, next)
    }

    /// Ends a session; one that has ended stays so.
    ///
    /// # Errors
    /// The engine takes no work.
    #[doc = include_str!("../../docs/revoke_session.md")]
    pub async fn revoke_session(&self, id: AccountId, session: SessionId) -> Result<(), Error> {
        self.change_accounts(AccountCommand::RevokeSession { id, session }).await.map(drop)
    }

    /// Ends all sessions of an account.
    ///
    /// # Errors
    /// No such account.
    #[doc = include_str!("../../docs/revoke_sessions.md")]
    pub async fn revoke_sessions(&self, id: AccountId) -> Result<(), Error> {
        self.change_accounts(AccountCommand::RevokeSessions { id }).await.map(drop)
    }

    /// Makes an API key, and the text by which a machine presents it. That is kept nowhere; under an idempotency key it follows
    /// from that and a secret of the keyring, so that [`Engine::first_answer`] has it again.
    ///
    /// # Errors
    /// A name out of range, or [`Refusal::TooManyApiKeys`].
    #[doc = include_str!("../../docs/create_api_key.md")]
    pub async fn create_api_key(&self, name: String) -> Result<(Arc<ApiKey>, String), Error> {
        match self.on_accounts(AccountRequest::CreateApiKey { name }).await? {
            AccountThing::ApiKey(key, secret) => {
                let text = token::write_api_key(key.id, &secret);
                Ok((key, text))
            }
            _ => unreachable!("a command answers with what it is about"),
        }
    }

    /// The text of an API key that was made under this idempotency key; nothing if it was made otherwise, or by another keyring.
    pub(super) fn text_of(&self, key: &ApiKey, under: Option<IdempotencyKey>) -> Option<String> {
        let secret = self.shared().vault.api_key_secret(key.id, &under?);
        let secret = secret.filter(|secret| secret.hash() == key.token);
        secret.map(|secret| token::write_api_key(key.id, &secret))
    }

    /// Lets an API key be no good any more; one that is not stays so.
    ///
    /// # Errors
    /// There never was such a key.
    #[doc = include_str!("../../docs/revoke_api_key.md")]
    pub async fn revoke_api_key(&self, id: ApiKeyId) -> Result<(), Error> {
        self.change_accounts(AccountCommand::RevokeApiKey { id }).await.map(drop)
    }

    /// An account, erased or not.
    #[doc = include_str!("../../docs/account.md")]
    #[must_use]
    pub fn account(&self, id: AccountId) -> Option<Arc<Account>> {
        self.shared().read.accounts.read_recursive().get(id).cloned()
    }

    /// Who an account is; nothing once it is erased.
    #[doc = include_str!("../../docs/personal.md")]
    #[must_use]
    pub fn personal(&self, account: &Account) -> Option<Personal> {
        self.shared().vault.person(account)
    }

    /// The account that signs in with this e-mail address or username. Its password hash is in [`Engine::personal`].
    #[doc = include_str!("../../docs/account_by_login.md")]
    #[must_use]
    pub fn account_by_login(&self, login: &str) -> Option<Arc<Account>> {
        let login = self.shared().vault.fingerprint(login)?;
        self.shared().read.accounts.read_recursive().by_login(login).cloned()
    }

    /// Up to `limit` customers with an id above `after` that fit, by id.
    #[doc = include_str!("../../docs/customers.md")]
    #[must_use]
    pub fn customers(
        &self,
        after: u64,
        limit: usize,
        fits: impl Fn(&Account) -> bool,
    ) -> Vec<Arc<Account>> {
        let accounts = self.shared().read.accounts.read_recursive();
        let customers = accounts.customers_after(after).filter(|account| fits(account));
        customers.take(limit).cloned().collect()
    }

    /// All accounts of the other kind, by id: staff and admins that were never customers.
    #[doc = include_str!("../../docs/accounts.md")]
    #[must_use]
    pub fn accounts(&self) -> Vec<Arc<Account>> {
        self.shared().read.accounts.read_recursive().accounts_after(0).cloned().collect()
    }

    /// How many accounts may do everything.
    #[doc = include_str!("../../docs/admins.md")]
    #[must_use]
    pub fn admins(&self) -> usize {
        self.shared().read.accounts.read_recursive().admins()
    }

    /// By which login an account is proved now: whatever was proved by another is no good any more.
    #[doc = include_str!("../../docs/login_version.md")]
    #[must_use]
    pub fn login_version(&self, account: AccountId) -> Option<LoginVersion> {
        self.shared().read.accounts.read_recursive().login_version(account)
    }

    /// A session that runs now.
    #[doc = include_str!("../../docs/session.md")]
    #[must_use]
    pub fn session(&self, account: AccountId, session: SessionId) -> Option<Session> {
        let found = self.shared().read.accounts.read_recursive().session(account, session).copied();
        found.filter(|session| session.expires_at > self.now())
    }

    /// The API key that a machine presents, if it is good.
    #[doc = include_str!("../../docs/api_key.md")]
    #[must_use]
    pub fn api_key(&self, presented: &str) -> Option<Arc<ApiKey>> {
        let (id, secret) = token::read_api_key(presented)?;
        let key = self.shared().read.accounts.read_recursive().api_key(id).cloned();
        key.filter(|key| key.token == secret.hash())
    }

    /// All API keys that are good, by id.
    #[doc = include_str!("../../docs/api_keys.md")]
    #[must_use]
    pub fn api_keys(&self) -> Vec<Arc<ApiKey>> {
        self.shared().read.accounts.read_recursive().api_keys().cloned().collect()
    }

    /// The details of an order, what is personal in them included; that is gone once its customer is erased.
    #[doc = include_str!("../../docs/order_details.md")]
    #[must_use]
    pub fn order_details<'a>(&self, order: &'a Order) -> Option<Cow<'a, Details>> {
        let public = order.placed.details.as_deref();
        let sealed = order.personal.as_deref();
        let opened = sealed.and_then(|sealed| self.shared().vault.details(order.id(), sealed));
        match opened {
            None => public.map(Cow::Borrowed),
            Some(personal) => {
                let reference = public.and_then(|public| public.reference.clone());
                Some(Cow::Owned(Details { reference, ..personal }))
            }
        }
    }
}

fn account(thing: AccountThing) -> Result<Arc<Account>, Error> {
    match thing {
        AccountThing::Account(account) => Ok(account),
        _ => unreachable!("a command answers with what it is about"),
    }
}

fn signed_in(thing: AccountThing, family: Secret, secret: Secret) -> Result<SignedIn, Error> {
    let AccountThing::Session(account, session) = thing else {
        unreachable!("a command answers with what it is about");
    };
    let token = RefreshToken { account: account.id, session: session.id, family, secret };
    Ok(SignedIn { account, session, refresh_token: token.write() })
}
