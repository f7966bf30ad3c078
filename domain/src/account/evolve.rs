use std::sync::Arc;

use super::{
    Account, AccountEvent, AccountId, Accounts, ApiKey, Counts, LoginVersion, Role, Session, place,
};

impl Accounts {
    /// Moves the state by what happened.
    #[doc = include_str!("../../docs/account_evolve.md")]
    pub fn evolve(&mut self, event: &AccountEvent) {
        match event {
            AccountEvent::Registered(account)
            | AccountEvent::Updated(account)
            | AccountEvent::Erased(account) => self.put(account),
            AccountEvent::PasswordChanged(account) | AccountEvent::RoleChanged(account) => {
                self.put(account);
                let (version, since) = (account.version, account.updated_at);
                self.login_versions.insert(account.id, LoginVersion { version, since });
            }
            AccountEvent::SessionOpened { account, session } => {
                let sessions = self.sessions.entry(*account).or_default();
                sessions.retain(|known| known.expires_at > session.opened_at);
                sessions.push(*session);
                self.counts.sessions = self.counts.sessions.max(session.id.0);
            }
            AccountEvent::SessionRotated { account, session, token, expires_at, .. } => {
                let sessions = self.sessions.get_mut(account);
                let known = sessions.into_iter().flatten().find(|known| known.id == *session);
                let known = known.expect("a session that rotates is open");
                (known.token, known.expires_at) = (*token, *expires_at);
            }
            AccountEvent::SessionRevoked { account, session, .. } => {
                let sessions = self.sessions.get_mut(account).expect("a session that ends is open");
                sessions.retain(|known| known.id != *session);
                if sessions.is_empty() {
                    self.sessions.remove(account);
                }
            }
            AccountEvent::SessionsRevoked { account, .. } => {
                self.sessions.remove(account);
            }
            AccountEvent::ApiKeyCreated(key) => {
                self.counts.api_keys = self.counts.api_keys.max(key.id.0);
                self.api_keys.insert(key.id, key.clone());
            }
            AccountEvent::ApiKeyRevoked { id, .. } => {
                self.api_keys.remove(id);
            }
        }
    }

    /// Puts back an account, by which login it is proved, and its sessions, in the order of ids.
    #[doc = include_str!("../../docs/restore_account.md")]
    pub fn restore_account(
        &mut self,
        account: &Arc<Account>,
        login: LoginVersion,
        sessions: Vec<Session>,
    ) {
        self.put(account);
        if login.version > 1 {
            self.login_versions.insert(account.id, login);
        }
        if !sessions.is_empty() {
            self.sessions.insert(account.id, sessions);
        }
    }

    /// Puts back the API keys, and how many there ever were.
    #[doc = include_str!("../../docs/restore_rest.md")]
    pub fn restore_rest(&mut self, counts: Counts, api_keys: Vec<Arc<ApiKey>>) {
        self.counts = counts;
        self.api_keys = api_keys.into_iter().map(|key| (key.id, key)).collect();
    }

    fn put(&mut self, account: &Arc<Account>) {
        let things = match account.id {
            AccountId::Customer(_) => &mut self.customers,
            AccountId::Account(_) => &mut self.accounts,
        };
        match place(things, account.id.number()) {
            Err(end) => things.insert(end, account.clone()),
            Ok(index) => {
                let before = std::mem::replace(&mut things[index], account.clone());
                for login in before.logins() {
                    self.logins.remove(&login);
                }
                self.admins -= usize::from(is_admin(&before));
            }
        }
        self.logins.extend(account.logins().map(|login| (login, account.id)));
        self.admins += usize::from(is_admin(account));
        self.last_key = self.last_key.max(account.key.0);
    }
}

fn is_admin(account: &Account) -> bool {
    account.role == Role::Admin && !account.is_erased()
}
