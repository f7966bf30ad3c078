//! The accounts: who may sign in, as what, and with which sessions and API keys. One aggregate, because a login must be unique
//! among all accounts, and somebody must stay admin.
//!
//! Nothing personal stands here in plain. What is known of a person is [`Sealed`] under a key of his own, and a login is
//! compared by its [`Fingerprint`]. Whoever drops the key has erased the person, in the journal too.
#![doc = include_str!("../../docs/account_module.md")]

mod command;
mod decide;
mod evolve;
mod personal;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt, sync::Arc};

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::{ApiKeyId, CustomerId, KeySlot, Refusal, SessionId, Timestamp};

pub use command::AccountCommand;
pub use personal::{Personal, PersonalChange, login_key};

/// Which account. Customers are numbered from 1; accounts that the server or the command line made are of their own kind.
#[doc = include_str!("../../docs/account_id.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AccountId {
    /// A customer, whatever he may do.
    Customer(CustomerId),
    /// A staff or admin account that was never a customer.
    Account(u64),
}

/// What an account may do.
#[doc = include_str!("../../docs/role.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Buys, and sees what is his own.
    Customer,
    /// Works in the shops and warehouses.
    Staff,
    /// May do everything.
    Admin,
}

/// Bytes that only the key of their slot opens.
#[doc = include_str!("../../docs/sealed.md")]
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(pub Box<[u8]>);

/// A keyed hash of a login: the same login has the same one, and nobody without the secret can guess.
#[doc = include_str!("../../docs/fingerprint.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(pub [u8; 16]);

/// A hash of a random token: whoever reads it cannot present the token.
#[doc = include_str!("../../docs/token_hash.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenHash(pub [u8; 16]);

/// What is known of the person, sealed, and by which logins he is found.
#[doc = include_str!("../../docs/identity.md")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// A [`Personal`].
    pub sealed: Sealed,
    /// Of the e-mail address.
    pub email: Option<Fingerprint>,
    /// Of the username.
    pub username: Option<Fingerprint>,
}

/// An account.
#[doc = include_str!("../../docs/account.md")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// What it may do.
    pub role: Role,
    /// Where the key is that opens what belongs to it.
    pub key: KeySlot,
    /// Who it is; nothing once it is erased.
    pub identity: Option<Identity>,
    /// Counts its events.
    pub version: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A signed-in device. Its refresh tokens are a family: all have one secret in common, and each its own.
#[doc = include_str!("../../docs/session.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Of the secret that all its tokens have in common.
    pub family: TokenHash,
    /// Of the only token that is good now.
    pub token: TokenHash,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When its token is no good any more.
    pub expires_at: Timestamp,
}

/// A key by which a machine signs in as staff.
#[doc = include_str!("../../docs/api_key.md")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// What people call it.
    pub name: Box<str>,
    /// Of its secret.
    pub token: TokenHash,
    /// When it was made.
    pub created_at: Timestamp,
}

/// By which login an account is proved: it is another one after every change of its password or role, also where ids are given out
/// again because a backup was put back.
#[doc = include_str!("../../docs/login_version.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LoginVersion {
    /// The account's version by its last change of that kind.
    pub version: u32,
    /// When that was.
    pub since: Timestamp,
}

/// Why sessions ended before their time.
#[doc = include_str!("../../docs/revoked.md")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Revoked {
    /// Somebody signed out.
    LoggedOut,
    /// A token that was exchanged already was presented again: one of two who have it is a thief.
    Reused,
    /// The account has another password.
    PasswordChanged,
    /// The account has another role.
    RoleChanged,
    /// The account was erased.
    Erased,
    /// The account has opened as many newer ones as it may have.
    Replaced,
}

/// What happened among the accounts. Each event carries the whole account as it is now.
#[doc = include_str!("../../docs/account_event.md")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum AccountEvent {
    /// An account was made.
    Registered(Arc<Account>),
    /// The person changed.
    Updated(Arc<Account>),
    /// The password changed, and perhaps more of the person.
    PasswordChanged(Arc<Account>),
    /// It may do something else now.
    RoleChanged(Arc<Account>),
    /// It belongs to nobody any more; its key is dropped.
    Erased(Arc<Account>),
    /// Somebody signed in.
    SessionOpened {
        /// As whom.
        account: AccountId,
        /// The session.
        session: Session,
    },
    /// A refresh token was exchanged for the next.
    SessionRotated {
        /// Whose session.
        account: AccountId,
        /// Which.
        session: SessionId,
        /// Of the next token.
        token: TokenHash,
        /// When.
        at: Timestamp,
        /// When the next token is no good any more.
        expires_at: Timestamp,
    },
    /// A session ended.
    SessionRevoked {
        /// Whose session.
        account: AccountId,
        /// Which.
        session: SessionId,
        /// Why.
        why: Revoked,
        /// When.
        at: Timestamp,
    },
    /// All sessions of an account ended.
    SessionsRevoked {
        /// Whose.
        account: AccountId,
        /// Why.
        why: Revoked,
        /// When.
        at: Timestamp,
    },
    /// An API key was made.
    ApiKeyCreated(Arc<ApiKey>),
    /// An API key is no good any more.
    ApiKeyRevoked {
        /// Which.
        id: ApiKeyId,
        /// When.
        at: Timestamp,
    },
}

/// The state of all accounts.
#[doc = include_str!("../../docs/accounts.md")]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Accounts {
    // By id, each kind by itself; nothing is ever removed.
    customers: Vec<Arc<Account>>,
    accounts: Vec<Arc<Account>>,
    /// E-mail addresses and usernames alike: the one has an @, the other has none.
    logins: FxHashMap<Fingerprint, AccountId>,
    /// Of accounts whose password or role has changed.
    login_versions: FxHashMap<AccountId, LoginVersion>,
    /// By account, oldest first.
    sessions: FxHashMap<AccountId, Vec<Session>>,
    api_keys: BTreeMap<ApiKeyId, Arc<ApiKey>>,
    admins: usize,
    /// The highest slot of a key that any account was given.
    last_key: u64,
    counts: Counts,
}

/// How many there ever were: ids of what is gone are never given again.
#[doc = include_str!("../../docs/account_counts.md")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Of sessions.
    pub sessions: u64,
    /// Of API keys.
    pub api_keys: u64,
}

impl AccountId {
    /// The name of its kind.
    #[doc = include_str!("../../docs/account_kind.md")]
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Customer(_) => "customer",
            Self::Account(_) => "account",
        }
    }

    /// The id within its kind.
    #[doc = include_str!("../../docs/account_number.md")]
    #[must_use]
    pub fn number(self) -> u64 {
        match self {
            Self::Customer(id) => id.0,
            Self::Account(id) => id,
        }
    }

    fn not_found(self) -> Refusal {
        Refusal::NotFound { kind: self.kind(), id: self.number() }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.number())
    }
}

impl Role {
    /// Its name, as clients write it.
    #[doc = include_str!("../../docs/role_name.md")]
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Staff => "staff",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

impl Account {
    /// Whether nobody knows any more who it was.
    #[doc = include_str!("../../docs/is_erased.md")]
    #[must_use]
    pub fn is_erased(&self) -> bool {
        self.identity.is_none()
    }

    pub(crate) fn logins(&self) -> impl Iterator<Item = Fingerprint> {
        self.identity.iter().flat_map(|identity| [identity.email, identity.username]).flatten()
    }
}

impl Accounts {
    /// An account, erased or not.
    #[doc = include_str!("../../docs/accounts_get.md")]
    #[must_use]
    pub fn get(&self, id: AccountId) -> Option<&Arc<Account>> {
        let things = match id {
            AccountId::Customer(_) => &self.customers,
            AccountId::Account(_) => &self.accounts,
        };
        place(things, id.number()).ok().map(|index| &things[index])
    }

    /// The highest id that any customer was given; 0 if there is none.
    #[doc = include_str!("../../docs/last_customer.md")]
    #[must_use]
    pub fn last_customer(&self) -> u64 {
        self.customers.last().map_or(0, |last| last.id.number())
    }

    /// An account that is not erased, if it still has the version the caller saw.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], or [`Refusal::VersionConflict`].
    #[doc = include_str!("../../docs/accounts_live.md")]
    pub fn live(&self, id: AccountId, expected: Option<u32>) -> Result<&Arc<Account>, Refusal> {
        let account = self.get(id).filter(|account| !account.is_erased());
        let account = account.ok_or_else(|| id.not_found())?;
        crate::catalogue::check_version(expected, account.version)?;
        Ok(account)
    }

    /// The account that signs in with this e-mail address or username.
    #[doc = include_str!("../../docs/by_login.md")]
    #[must_use]
    pub fn by_login(&self, login: Fingerprint) -> Option<&Arc<Account>> {
        self.logins.get(&login).and_then(|id| self.get(*id))
    }

    /// By which login an account is proved now.
    #[doc = include_str!("../../docs/login_version_of.md")]
    #[must_use]
    pub fn login_version(&self, id: AccountId) -> Option<LoginVersion> {
        let first = |account: &Arc<Account>| LoginVersion { version: 1, since: account.created_at };
        self.login_versions.get(&id).copied().or_else(|| self.get(id).map(first))
    }

    pub(crate) fn login_count(&self) -> usize {
        self.logins.len()
    }

    /// Customers with an id above `after`, by id.
    #[doc = include_str!("../../docs/customers_after.md")]
    pub fn customers_after(&self, after: u64) -> impl Iterator<Item = &Arc<Account>> {
        beyond(&self.customers, after)
    }

    /// Accounts of their own kind with an id above `after`, by id.
    #[doc = include_str!("../../docs/accounts_after.md")]
    pub fn accounts_after(&self, after: u64) -> impl Iterator<Item = &Arc<Account>> {
        beyond(&self.accounts, after)
    }

    /// Accounts that may do everything.
    #[doc = include_str!("../../docs/admins.md")]
    #[must_use]
    pub fn admins(&self) -> usize {
        self.admins
    }

    /// The highest slot of a key that any account was given; 0 if there is none.
    #[doc = include_str!("../../docs/last_key.md")]
    #[must_use]
    pub fn last_key(&self) -> u64 {
        self.last_key
    }

    /// Sessions of an account that were not ended, oldest first; some may have expired.
    #[doc = include_str!("../../docs/sessions.md")]
    #[must_use]
    pub fn sessions(&self, account: AccountId) -> &[Session] {
        self.sessions.get(&account).map_or(&[], Vec::as_slice)
    }

    /// A session that was not ended; it may have expired.
    #[doc = include_str!("../../docs/session_of.md")]
    #[must_use]
    pub fn session(&self, account: AccountId, session: SessionId) -> Option<&Session> {
        self.sessions(account).iter().find(|known| known.id == session)
    }

    /// An API key that was not revoked.
    #[doc = include_str!("../../docs/api_key_of.md")]
    #[must_use]
    pub fn api_key(&self, id: ApiKeyId) -> Option<&Arc<ApiKey>> {
        self.api_keys.get(&id)
    }

    /// API keys that were not revoked, by id.
    #[doc = include_str!("../../docs/api_keys.md")]
    pub fn api_keys(&self) -> impl Iterator<Item = &Arc<ApiKey>> {
        self.api_keys.values()
    }

    /// The id of the API key that is made next.
    #[doc = include_str!("../../docs/next_api_key.md")]
    #[must_use]
    pub fn next_api_key(&self) -> ApiKeyId {
        ApiKeyId(self.counts.api_keys + 1)
    }

    /// How many sessions and API keys there ever were.
    #[doc = include_str!("../../docs/counts.md")]
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }
}

/// Where an account is among those of its kind, or where it belongs.
fn place(things: &[Arc<Account>], id: u64) -> Result<usize, usize> {
    things.binary_search_by_key(&id, |account| account.id.number())
}

/// The accounts with an id above `after`.
fn beyond(things: &[Arc<Account>], after: u64) -> std::slice::Iter<'_, Arc<Account>> {
    things[things.partition_point(|account| account.id.number() <= after)..].iter()
}
