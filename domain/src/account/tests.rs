mod life;
mod personal;
mod property;
mod sessions;

use super::{
    AccountCommand, AccountEvent, AccountId, Accounts, Fingerprint, Identity, LoginVersion,
    Revoked, Role, Sealed, TokenHash,
};
use crate::{
    CustomerId, KeySlot, Refusal, SessionId, Timestamp,
    invariants::{Violation, check_accounts},
    testing::{Aggregate, Given, NOW, given},
};

use AccountCommand as C;

impl Aggregate for Accounts {
    type Command = AccountCommand;
    type Event = AccountEvent;

    fn replay(events: &[AccountEvent]) -> Self {
        let mut accounts = Self::default();
        events.iter().for_each(|event| accounts.evolve(event));
        accounts
    }

    fn ask(&self, command: &C, at: Timestamp) -> Result<Vec<AccountEvent>, Refusal> {
        self.decide(command, at)
    }

    fn apply(&mut self, event: &AccountEvent) {
        self.evolve(event);
    }

    fn check(&self, found: &mut dyn FnMut(Violation)) {
        check_accounts(self, found);
    }
}

const ANN: AccountId = AccountId::Customer(CustomerId(1));
const BOB: AccountId = AccountId::Customer(CustomerId(2));
const ROOT: AccountId = AccountId::Account(1);

/// Customers 1 (e-mail 1, username 101) and 2 (e-mail 2), and the admin account 1 (username 109).
fn world() -> Given<Accounts> {
    given::<Accounts>([])
        .and(register(Role::Customer, 1, identity(Some(1), Some(101))))
        .and(register(Role::Customer, 2, identity(Some(2), None)))
        .and(register(Role::Admin, 3, identity(None, Some(109))))
}

fn login(n: u8) -> Fingerprint {
    Fingerprint([n; 16])
}

/// As sealing makes it, from the fingerprints of an e-mail address and a username.
fn identity(email: Option<u8>, username: Option<u8>) -> Identity {
    let (email, username) = (email.map(login), username.map(login));
    Identity { sealed: Sealed([7; 30].into()), email, username }
}

fn register(role: Role, key: u64, identity: Identity) -> C {
    C::Register { role, key: KeySlot(key), above: 0, identity }
}

fn change(id: AccountId, identity: Identity) -> C {
    C::Change { id, expected: None, identity, password: false }
}

fn set_role(id: AccountId, role: Role) -> C {
    C::SetRole { id, expected: None, role }
}

fn erase(id: AccountId) -> C {
    C::Erase { id, expected: None }
}

fn token(n: u8) -> TokenHash {
    TokenHash([n; 16])
}

/// Signs in for a second; the family's secret is 100 above the token's.
fn open(id: AccountId, n: u8) -> C {
    C::OpenSession { id, family: token(n + 100), token: token(n), ttl_ms: 1_000 }
}

fn rotate(id: AccountId, session: u64, family: u8, presented: u8, next: u8) -> C {
    C::RotateSession {
        id,
        session: SessionId(session),
        family: token(family),
        presented: token(presented),
        next: token(next),
        ttl_ms: 1_000,
    }
}

fn not_found(id: AccountId) -> Refusal {
    Refusal::NotFound { kind: id.kind(), id: id.number() }
}
