use super::{AccountId, Identity, Role, TokenHash};
use crate::{ApiKeyId, KeySlot, SessionId};

/// What can be asked of the accounts. What is personal in it was checked ([`super::Personal::check`]) and sealed before.
#[doc = include_str!("../../docs/account_command.md")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountCommand {
    /// Make an account: a customer, or for another role one of the other kind.
    Register {
        /// What it may do.
        role: Role,
        /// The slot of its key; above every one that was given.
        key: KeySlot,
        /// A customer's id is above this one: what was done before there were accounts may name customers who never were, and it
        /// must not become somebody's.
        above: u64,
        /// Who it is.
        identity: Identity,
    },
    /// Change who an account is.
    Change {
        /// Which.
        id: AccountId,
        /// The version the caller saw, if it matters.
        expected: Option<u32>,
        /// Who it is from now on.
        identity: Identity,
        /// Whether the password is another one: that ends its sessions.
        password: bool,
    },
    /// Change what an account may do.
    SetRole {
        /// Which.
        id: AccountId,
        /// The version the caller saw, if it matters.
        expected: Option<u32>,
        /// What it may do from now on.
        role: Role,
    },
    /// Forget who an account is.
    Erase {
        /// Which.
        id: AccountId,
        /// The version the caller saw, if it matters.
        expected: Option<u32>,
    },
    /// Sign in.
    OpenSession {
        /// As whom.
        id: AccountId,
        /// Of the secret that all its tokens have in common.
        family: TokenHash,
        /// Of its first token.
        token: TokenHash,
        /// How long that is good, in milliseconds.
        ttl_ms: u64,
    },
    /// Exchange a refresh token for the next.
    RotateSession {
        /// Whose session.
        id: AccountId,
        /// Which.
        session: SessionId,
        /// Of the secret that all its tokens have in common.
        family: TokenHash,
        /// Of the token that is presented.
        presented: TokenHash,
        /// Of the next one.
        next: TokenHash,
        /// How long that is good, in milliseconds.
        ttl_ms: u64,
    },
    /// Sign one device out.
    RevokeSession {
        /// Whose session.
        id: AccountId,
        /// Which.
        session: SessionId,
    },
    /// Sign all devices out.
    RevokeSessions {
        /// Of whom.
        id: AccountId,
    },
    /// Make an API key.
    CreateApiKey {
        /// What people call it.
        name: String,
        /// Of its secret.
        token: TokenHash,
    },
    /// Let an API key be no good any more.
    RevokeApiKey {
        /// Which.
        id: ApiKeyId,
    },
}
