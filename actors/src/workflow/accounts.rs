use std::{io, rc::Rc, sync::Arc};

use stockade_domain::{
    KeySlot, Refusal, SessionId,
    account::{
        Account, AccountCommand, AccountEvent, AccountId, Accounts, ApiKey, Identity, Personal,
        PersonalChange, Revoked, Role, Session,
    },
};
use tokio::sync::oneshot;

use super::Outcome;
use crate::{
    Error,
    context::By,
    lane::{Lane, guarded},
    token::Secret,
    vault::Vault,
};

/// What can be asked of the accounts, with what is personal in plain: it is sealed here, and goes no further.
pub(crate) enum AccountRequest {
    Register { role: Role, personal: Personal },
    Change { id: AccountId, expected: Option<u32>, change: PersonalChange },
    CreateApiKey { name: String },
    Command(AccountCommand),
}

/// What a command on the accounts made or changed, as it is now.
pub(crate) enum AccountThing {
    Account(Arc<Account>),
    Session(Arc<Account>, Session),
    ApiKey(Arc<ApiKey>, Secret),
    /// It ended something, or there was nothing to end.
    Nothing,
}

/// Runs a request, to the end of a key that it drops.
pub(super) async fn run(
    lane: &Rc<Lane>,
    by: &By,
    request: AccountRequest,
) -> Outcome<AccountThing> {
    match request {
        AccountRequest::Register { role, personal } => {
            let personal = personal.normalized();
            guarded(|| Ok(personal.check()?))?;
            // A key that no account has. Keys are made before they are needed, so this seldom waits.
            let next = || lane.shared.vault.next_after(lane.accounts.borrow().last_key());
            let key = of_ring(lane, next).await?;
            let identity = seal(lane, key, &personal)?;
            // Nothing waits between this look and the decision.
            let last = lane.accounts.borrow().last_customer();
            let above = lane.shared.read.order_index.unnamed_after(last) - 1;
            command(lane, by, &AccountCommand::Register { role, key, above, identity }).await
        }
        AccountRequest::Change { id, expected, change } => {
            let known = lane.accounts.borrow().live(id, None)?.clone();
            let gone = Refusal::NotFound { kind: id.kind(), id: id.number() };
            let before = lane.shared.vault.person(&known).ok_or(gone)?;
            let is_another = change.password.is_some();
            let after = before.changed(change);
            guarded(|| Ok(after.check()?))?;
            lane.accounts.borrow().live(id, expected)?;
            if after == before {
                return Ok((AccountThing::Account(known), None));
            }
            let password = is_another && after.password != before.password;
            let identity = seal(lane, known.key, &after)?;
            command(lane, by, &AccountCommand::Change { id, expected, identity, password }).await
        }
        AccountRequest::CreateApiKey { name } => create_api_key(lane, by, name).await,
        AccountRequest::Command(asked) => command(lane, by, &asked).await,
    }
}

/// Makes an API key. Under an idempotency key its secret is one that a retry can be shown again.
async fn create_api_key(lane: &Rc<Lane>, by: &By, name: String) -> Outcome<AccountThing> {
    let vault = &lane.shared.vault;
    of_ring(lane, || vault.is_made().then_some(())).await?;
    // Nobody comes in between: nothing waits from here to the decision.
    let id = lane.accounts.borrow().next_api_key();
    let secret = match by.key() {
        Some(key) => vault.api_key_secret(id, &key).ok_or_else(|| lane.shared.stopped_error())?,
        None => Secret::random()?,
    };
    let token = secret.hash();
    let (_, seen) = command(lane, by, &AccountCommand::CreateApiKey { name, token }).await?;
    let key = lane.accounts.borrow().api_key(id).cloned();
    let key = key.ok_or_else(|| lane.shared.stopped_error())?;
    Ok((AccountThing::ApiKey(key, secret), seen))
}

async fn command(lane: &Rc<Lane>, by: &By, command: &AccountCommand) -> Outcome<AccountThing> {
    let at = lane.now();
    let events = guarded(|| Ok(lane.accounts.borrow().decide(command, at)?))?;
    if events.is_empty() {
        return Ok((unchanged(&lane.accounts.borrow(), command), None));
    }
    // The state moves first: an event that it cannot follow stops the engine before it is in the journal.
    events.iter().for_each(|event| lane.accounts.borrow_mut().evolve(event));
    let thing = thing(&lane.accounts.borrow(), &events);
    let seen = lane.decide(by, events.iter().cloned().map(Into::into))?;
    for event in events {
        match event {
            AccountEvent::Erased(account) => {
                // First the event, then the key: what a crash leaves between the two, the next start drops.
                lane.folded(seen).await?;
                let dropped = apart(lane, move |vault| vault.drop_key(account.key)).await;
                dropped.map_err(|error| failed(lane, &error))?;
            }
            AccountEvent::SessionRevoked { why: Revoked::Reused, .. } => {
                return Err(Refusal::RefreshTokenReused.into());
            }
            _ => {}
        }
    }
    Ok((thing, Some(seen)))
}

/// What these events of one command are about, as it is after them.
fn thing(accounts: &Accounts, events: &[AccountEvent]) -> AccountThing {
    let session = |account: &AccountId, session: &SessionId| {
        let (account, session) = (accounts.get(*account), accounts.session(*account, *session));
        Some(AccountThing::Session(account?.clone(), *session?))
    };
    let thing = |event: &AccountEvent| match event {
        AccountEvent::Registered(account)
        | AccountEvent::Updated(account)
        | AccountEvent::PasswordChanged(account)
        | AccountEvent::RoleChanged(account)
        | AccountEvent::Erased(account) => Some(AccountThing::Account(account.clone())),
        AccountEvent::SessionOpened { account, session: opened } => session(account, &opened.id),
        AccountEvent::SessionRotated { account, session: rotated, .. } => session(account, rotated),
        AccountEvent::ApiKeyCreated(_)
        | AccountEvent::SessionRevoked { .. }
        | AccountEvent::SessionsRevoked { .. }
        | AccountEvent::ApiKeyRevoked { .. } => None,
    };
    events.iter().find_map(thing).unwrap_or(AccountThing::Nothing)
}

/// What a command that changes nothing is about.
fn unchanged(accounts: &Accounts, command: &AccountCommand) -> AccountThing {
    let account = match command {
        AccountCommand::SetRole { id, .. } | AccountCommand::Erase { id, .. } => accounts.get(*id),
        _ => None,
    };
    account.cloned().map_or(AccountThing::Nothing, AccountThing::Account)
}

/// What the keyring gives, once it has it.
async fn of_ring<T>(lane: &Lane, next: impl Fn() -> Option<T>) -> Result<T, Error> {
    if let Some(found) = next() {
        return Ok(found);
    }
    match apart(lane, Vault::extend).await {
        // No key of a lot that could not be made is used, and the next lot is written over it.
        Err(error) if is_full(&error) => return Err(Error::NearlyFull),
        made => made.map_err(|error| failed(lane, &error))?,
    }
    next().ok_or_else(|| lane.shared.stopped_error())
}

fn seal(lane: &Lane, key: KeySlot, personal: &Personal) -> Result<Identity, Error> {
    let id = Refusal::NotFound { kind: "key", id: key.0 };
    Ok(lane.shared.vault.seal_person(key, personal).ok_or(id)?)
}

/// Works on the keyring on a thread of its own: no lane waits for a disk.
async fn apart(
    lane: &Lane,
    work: impl FnOnce(&Vault) -> io::Result<()> + Send + 'static,
) -> io::Result<()> {
    let (done, told) = oneshot::channel();
    let shared = lane.shared.clone();
    let run = move || drop(done.send(work(&shared.vault)));
    std::thread::Builder::new().name("stockade-keys".into()).spawn(run)?;
    told.await.unwrap_or_else(|_| Err(io::Error::other("a panic")))
}

/// The keyring failed: the engine stops, as for the journal.
fn failed(lane: &Lane, error: &io::Error) -> Error {
    lane.shared.stop(&format!("the keyring failed: {error}"));
    lane.shared.stopped_error()
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
