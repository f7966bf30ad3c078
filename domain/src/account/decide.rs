use std::sync::Arc;

use super::{
    Account, AccountCommand, AccountEvent, AccountId, Accounts, ApiKey, Identity, Revoked, Role,
    Session, TokenHash,
};
use crate::{
    CustomerId, KeySlot, Refusal, SessionId, Timestamp,
    limits::{API_KEYS_MAX, SESSION_TTL_MS_MAX, SESSIONS_MAX, TEXT_MAX},
    refusal::check_text,
};

impl Accounts {
    /// Decides a command. No event means that nothing would change. A refresh token that is used again is an event too: it
    /// ends the session ([`Revoked::Reused`]), and whoever presented it is refused.
    ///
    /// # Errors
    /// A login that is taken, an id that does not exist, a stale version, the last admin, or a session that has ended.
    #[doc = include_str!("../../docs/account_decide.md")]
    pub fn decide(
        &self,
        command: &AccountCommand,
        at: Timestamp,
    ) -> Result<Vec<AccountEvent>, Refusal> {
        match command {
            AccountCommand::Register { role, key, above, identity } => {
                self.register(*role, *key, *above, identity, at)
            }
            AccountCommand::Change { id, expected, identity, password } => {
                self.change(*id, *expected, identity, *password, at)
            }
            AccountCommand::SetRole { id, expected, role } => {
                self.set_role(*id, *expected, *role, at)
            }
            AccountCommand::Erase { id, expected } => self.erase(*id, *expected, at),
            AccountCommand::OpenSession { id, family, token, ttl_ms } => {
                self.open_session(*id, *family, *token, *ttl_ms, at)
            }
            AccountCommand::RotateSession { id, session, family, presented, next, ttl_ms } => {
                let known = self.rotatable(*id, *session, *family, at)?;
                if known.token != *presented {
                    let (account, session, why) = (*id, *session, Revoked::Reused);
                    return Ok(vec![AccountEvent::SessionRevoked { account, session, why, at }]);
                }
                check_ttl(*ttl_ms)?;
                let (account, session, token) = (*id, *session, *next);
                let expires_at = at.plus_ms(*ttl_ms);
                let rotated =
                    AccountEvent::SessionRotated { account, session, token, at, expires_at };
                Ok(vec![rotated])
            }
            AccountCommand::RevokeSession { id, session } => {
                let (account, session, why) = (*id, *session, Revoked::LoggedOut);
                let revoked = AccountEvent::SessionRevoked { account, session, why, at };
                Ok(self.session(account, session).map(|_| revoked).into_iter().collect())
            }
            AccountCommand::RevokeSessions { id } => {
                self.live(*id, None)?;
                Ok(self.revoke_all(*id, Revoked::LoggedOut, at).into_iter().collect())
            }
            AccountCommand::CreateApiKey { name, token } => self.create_api_key(name, *token, at),
            AccountCommand::RevokeApiKey { id } => {
                if !(1..=self.counts.api_keys).contains(&id.0) {
                    return Err(Refusal::NotFound { kind: "api key", id: id.0 });
                }
                let revoked = AccountEvent::ApiKeyRevoked { id: *id, at };
                Ok(self.api_key(*id).map(|_| revoked).into_iter().collect())
            }
        }
    }

    fn register(
        &self,
        role: Role,
        key: KeySlot,
        above: u64,
        identity: &Identity,
        at: Timestamp,
    ) -> Result<Vec<AccountEvent>, Refusal> {
        let id = match role {
            Role::Customer => AccountId::Customer(CustomerId(self.last_customer().max(above) + 1)),
            Role::Staff | Role::Admin => AccountId::Account(self.accounts.len() as u64 + 1),
        };
        self.check_logins(id, identity)?;
        assert!(key.0 > self.last_key, "every account has a key of its own");
        Ok(vec![AccountEvent::Registered(Arc::new(Account {
            id,
            role,
            key,
            identity: Some(identity.clone()),
            version: 1,
            created_at: at,
            updated_at: at,
        }))])
    }

    fn change(
        &self,
        id: AccountId,
        expected: Option<u32>,
        identity: &Identity,
        password: bool,
        at: Timestamp,
    ) -> Result<Vec<AccountEvent>, Refusal> {
        let mut account = next_version(self.live(id, expected)?, at);
        self.check_logins(id, identity)?;
        account.identity = Some(identity.clone());
        let account = Arc::new(account);
        if !password {
            return Ok(vec![AccountEvent::Updated(account)]);
        }
        let mut events = vec![AccountEvent::PasswordChanged(account)];
        events.extend(self.revoke_all(id, Revoked::PasswordChanged, at));
        Ok(events)
    }

    fn set_role(
        &self,
        id: AccountId,
        expected: Option<u32>,
        role: Role,
        at: Timestamp,
    ) -> Result<Vec<AccountEvent>, Refusal> {
        let before = self.live(id, expected)?;
        if before.role == role {
            return Ok(Vec::new());
        }
        if role == Role::Customer && matches!(id, AccountId::Account(_)) {
            let detail = "an account that was never a customer cannot become one";
            return Err(Refusal::invalid("role", detail));
        }
        self.check_not_last_admin(before)?;
        let account = Arc::new(Account { role, ..next_version(before, at) });
        let mut events = vec![AccountEvent::RoleChanged(account)];
        events.extend(self.revoke_all(id, Revoked::RoleChanged, at));
        Ok(events)
    }

    fn erase(
        &self,
        id: AccountId,
        expected: Option<u32>,
        at: Timestamp,
    ) -> Result<Vec<AccountEvent>, Refusal> {
        let known = self.get(id).ok_or_else(|| id.not_found())?;
        if known.is_erased() {
            return Ok(Vec::new());
        }
        let before = self.live(id, expected)?;
        self.check_not_last_admin(before)?;
        let account = Arc::new(Account { identity: None, ..next_version(before, at) });
        let mut events = vec![AccountEvent::Erased(account)];
        events.extend(self.revoke_all(id, Revoked::Erased, at));
        Ok(events)
    }

    /// A login belongs to one account.
    fn check_logins(&self, id: AccountId, identity: &Identity) -> Result<(), Refusal> {
        let taken = |login: Option<_>| {
            let owner = login.and_then(|login| self.logins.get(&login));
            owner.is_some_and(|owner| *owner != id)
        };
        if taken(identity.email) {
            return Err(Refusal::EmailTaken);
        }
        if taken(identity.username) {
            return Err(Refusal::UsernameTaken);
        }
        Ok(())
    }

    fn check_not_last_admin(&self, account: &Account) -> Result<(), Refusal> {
        match account.role == Role::Admin && self.admins == 1 {
            true => Err(Refusal::LastAdmin),
            false => Ok(()),
        }
    }

    fn open_session(
        &self,
        id: AccountId,
        family: TokenHash,
        token: TokenHash,
        ttl_ms: u64,
        at: Timestamp,
    ) -> Result<Vec<AccountEvent>, Refusal> {
        self.live(id, None)?;
        check_ttl(ttl_ms)?;
        let account = id;
        // Whoever signs in once more than he may is not locked out: his oldest session ends.
        let running: Vec<_> =
            self.sessions(id).iter().filter(|session| session.expires_at > at).collect();
        let surplus = (running.len() + 1).saturating_sub(SESSIONS_MAX);
        let replaced = |session: &&Session| {
            let (session, why) = (session.id, Revoked::Replaced);
            AccountEvent::SessionRevoked { account, session, why, at }
        };
        let mut events: Vec<_> = running.iter().take(surplus).map(replaced).collect();
        let session = Session {
            id: SessionId(self.counts.sessions + 1),
            family,
            token,
            opened_at: at,
            expires_at: at.plus_ms(ttl_ms),
        };
        events.push(AccountEvent::SessionOpened { account, session });
        Ok(events)
    }

    /// A session that runs, for somebody who has had one of its tokens.
    fn rotatable(
        &self,
        id: AccountId,
        session: SessionId,
        family: TokenHash,
        at: Timestamp,
    ) -> Result<&Session, Refusal> {
        let known = self.session(id, session);
        // Without the secret of the family it is a guess, and a guess must not end anybody's session.
        let known = known.filter(|known| known.family == family && known.expires_at > at);
        known.ok_or(Refusal::SessionEnded)
    }

    fn revoke_all(&self, account: AccountId, why: Revoked, at: Timestamp) -> Option<AccountEvent> {
        let any = !self.sessions(account).is_empty();
        any.then_some(AccountEvent::SessionsRevoked { account, why, at })
    }

    fn create_api_key(
        &self,
        name: &str,
        token: TokenHash,
        at: Timestamp,
    ) -> Result<Vec<AccountEvent>, Refusal> {
        check_text("name", name, TEXT_MAX)?;
        if self.api_keys.len() >= API_KEYS_MAX {
            return Err(Refusal::TooManyApiKeys(API_KEYS_MAX));
        }
        let id = self.next_api_key();
        let key = ApiKey { id, name: name.into(), token, created_at: at };
        Ok(vec![AccountEvent::ApiKeyCreated(Arc::new(key))])
    }
}

fn next_version(account: &Account, at: Timestamp) -> Account {
    Account { version: account.version + 1, updated_at: at, ..account.clone() }
}

fn check_ttl(ttl_ms: u64) -> Result<(), Refusal> {
    match (1..=SESSION_TTL_MS_MAX).contains(&ttl_ms) {
        true => Ok(()),
        false => {
            let detail = format!("must be from 1 to {SESSION_TTL_MS_MAX} milliseconds");
            Err(Refusal::invalid("ttl_ms", detail))
        }
    }
}
