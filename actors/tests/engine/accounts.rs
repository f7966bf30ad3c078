//! People and machines that sign in.

use std::{fs, path::Path, sync::Arc, time::Duration};

use stockade_actors::{
    Config, Engine, Error, FirstAnswer, MadeApiKey, OpenError, SignedIn, verify,
};
use stockade_domain::{
    ApiKeyId, Currency, CustomerId, Refusal, SessionId,
    account::{Account, AccountId, Personal, PersonalChange, Role},
    catalogue::NewShop,
    holder::PlaceHold,
    limits::SESSIONS_MAX,
    order::PlaceOrder,
};
use stockade_storage::keyring::LOT_SLOTS;

use crate::{
    keys::{first, under},
    shop::copy_tree,
    shop::{START_MS, check, durable, hold_of, order_of, product, still, wait},
};

const DAY: Duration = Duration::from_secs(24 * 3_600);

pub(crate) fn person(email: &str, username: &str, name: &str) -> Personal {
    let some = |text: &str| (!text.is_empty()).then(|| text.into());
    Personal {
        email: some(email),
        username: some(username),
        name: some(name),
        password: Some("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".into()),
    }
}

pub(crate) fn register(engine: &Engine, email: &str) -> Arc<Account> {
    wait(engine.register(Role::Customer, person(email, "", ""))).expect("he is registered")
}

fn open(engine: &Engine, id: AccountId) -> SignedIn {
    wait(engine.open_session(id, DAY)).expect("he signs in")
}

fn is<T: std::fmt::Debug>(result: Result<T, Error>, wanted: Refusal) {
    match result {
        Err(Error::Refused(refusal)) => assert_eq!(refusal, wanted),
        other => panic!("{wanted:?} is expected: {other:?}"),
    }
}

#[test]
fn a_login_is_found_in_any_case_and_belongs_to_one() {
    let engine = still();
    assert!(engine.account_by_login("ann@example.com").is_none(), "nobody is there yet");
    let ann = person("Ann@Example.com", "Ann.1", "Ann");
    let ann = wait(engine.register(Role::Customer, ann)).unwrap();
    assert_eq!((ann.id, ann.version), (AccountId::Customer(CustomerId(1)), 1));
    for login in ["ann@example.com", "ANN@EXAMPLE.COM", "ann.1", "ANN.1"] {
        assert_eq!(engine.account_by_login(login).unwrap().id, ann.id, "{login}");
    }
    for login in ["", "ann", "Ann", "ann@example.co", "x".repeat(100_000).as_str()] {
        assert!(engine.account_by_login(login).is_none());
    }
    let known = engine.personal(&ann).unwrap();
    assert!(
        known
            == Personal { username: Some("ann.1".into()), ..person("Ann@Example.com", "", "Ann") }
    );
    let taken = |personal| wait(engine.register(Role::Admin, personal));
    is(taken(person("ANN@example.com", "", "")), Refusal::EmailTaken);
    is(taken(person("", "ANN.1", "")), Refusal::UsernameTaken);
    assert!(matches!(
        taken(person("nobody", "", "")),
        Err(Error::Refused(Refusal::Invalid { field, .. })) if field == "email"
    ));
    let admin = taken(person("", "root", "")).unwrap();
    assert_eq!((admin.id, engine.admins()), (AccountId::Account(1), 1));
    is(wait(engine.erase_account(admin.id, None)), Refusal::LastAdmin);
    check(&engine);
}

#[test]
fn a_change_is_merged_with_what_is_known() {
    let engine = still();
    let ann = register(&engine, "ann@example.com");
    register(&engine, "bob@example.com");
    let session = open(&engine, ann.id).session.id;
    let change = |change| wait(engine.change_account(ann.id, Some(1), change));
    let name = |name: Option<&str>| PersonalChange {
        name: Some(name.map(Into::into)),
        ..PersonalChange::default()
    };
    assert_eq!(change(PersonalChange::default()).unwrap().version, 1, "nothing changes");
    let bobs = Some(Some("BOB@example.com".into()));
    is(change(PersonalChange { email: bobs, ..Default::default() }), Refusal::EmailTaken);
    let named = change(name(Some("Ann"))).unwrap();
    assert!(engine.personal(&named) == Some(person("ann@example.com", "", "Ann")));
    is(change(name(None)), Refusal::VersionConflict { expected: 1, current: 2 });
    assert!(engine.session(ann.id, session).is_some(), "another name ends no session");
    let rehashed = Some("$argon2id$anew".to_owned());
    let anew = PersonalChange { rehashed, ..PersonalChange::default() };
    let changed = wait(engine.change_account(ann.id, None, anew)).unwrap();
    assert_eq!(engine.personal(&changed).unwrap().password.as_deref(), Some("$argon2id$anew"));
    assert!(engine.session(ann.id, session).is_some(), "the same password ends no session");
    let password = Some("$argon2id$another".to_owned());
    let another = PersonalChange { password, ..PersonalChange::default() };
    let changed = wait(engine.change_account(ann.id, None, another)).unwrap();
    assert_eq!(engine.personal(&changed).unwrap().password.as_deref(), Some("$argon2id$another"));
    assert!(engine.session(ann.id, session).is_none(), "another password ends all");
    let nobody = AccountId::Customer(CustomerId(9));
    let missing = Refusal::NotFound { kind: "customer", id: 9 };
    is(wait(engine.change_account(nobody, None, name(None))), missing);
    check(&engine);
}

#[test]
fn a_refresh_token_works_once_and_a_copy_of_it_ends_the_session() {
    let engine = still();
    let ann = register(&engine, "ann@example.com").id;
    let rotate = |token: &str| wait(engine.rotate_session(token, DAY));
    let first = open(&engine, ann);
    assert!(!format!("{first:?}").contains(&first.refresh_token), "a log does not tell a token");
    let second = rotate(&first.refresh_token).unwrap();
    assert_eq!((second.account.id, second.session.id), (ann, first.session.id));
    let third = rotate(&second.refresh_token).unwrap();
    let other = open(&engine, ann);
    is(rotate(&first.refresh_token), Refusal::RefreshTokenReused);
    is(rotate(&third.refresh_token), Refusal::SessionEnded);
    assert!(engine.session(ann, first.session.id).is_none());
    let guess = format!("c1_{}_{}", other.session.id, "0".repeat(64));
    for wrong in ["", "c1_2", &guess, &other.refresh_token[1..]] {
        is(rotate(wrong), Refusal::SessionEnded);
    }
    let other = rotate(&other.refresh_token).expect("the other device stays signed in");
    wait(engine.advance(DAY)).unwrap();
    assert!(engine.session(ann, other.session.id).is_none(), "it has expired");
    is(rotate(&other.refresh_token), Refusal::SessionEnded);
    for _ in 0..SESSIONS_MAX + 2 {
        open(&engine, ann);
    }
    assert!(
        engine.session(ann, SessionId(4)).is_none() && engine.session(ann, SessionId(5)).is_some()
    );
    wait(engine.revoke_session(ann, SessionId(5))).unwrap();
    wait(engine.revoke_session(ann, SessionId(5))).unwrap();
    assert!(
        engine.session(ann, SessionId(5)).is_none() && engine.session(ann, SessionId(6)).is_some()
    );
    wait(engine.revoke_sessions(ann)).unwrap();
    assert!(engine.session(ann, SessionId(6)).is_none());
    check(&engine);
}

#[test]
fn an_api_key_under_an_idempotency_key_is_shown_again_and_stored_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let make = |engine: &Engine| wait(under(engine, 1).create_api_key("gateway".into()));
    let engine = durable(dir.path(), 1);
    let (key, text) = make(&engine).expect("there is no account yet, and no key of one");
    let (_, other) = wait(engine.create_api_key("another".into())).unwrap();
    let shown = |engine: &Engine| match first(engine, make(engine)) {
        FirstAnswer::ApiKey(made) => made,
        other => panic!("an API key, not {other:?}"),
    };
    let made = MadeApiKey { key, text: Some(text.clone()) };
    assert_eq!(shown(&engine), made);
    // The secret is neither in what it follows from nor anywhere else on the disk.
    let secret = text.rsplit_once('_').unwrap().1;
    engine.shutdown().unwrap();
    drop(engine);
    let bytes: Vec<u8> =
        (0..32).step_by(2).map(|at| u8::from_str_radix(&secret[at..at + 2], 16).unwrap()).collect();
    for file in files(dir.path()) {
        let content = std::fs::read(&file).unwrap();
        let is_there = |part: &[u8]| content.windows(part.len()).any(|window| window == part);
        assert!(!is_there(secret.as_bytes()) && !is_there(&bytes), "{}", file.display());
    }
    let engine = durable(dir.path(), 1);
    assert_eq!(shown(&engine), made);
    assert_eq!(engine.api_key(&text), Some(made.key.clone()));
    assert!(engine.api_key(&other).is_some() && engine.api_keys().len() == 2);
    wait(engine.revoke_api_key(made.key.id)).unwrap();
    assert_eq!(shown(&engine), made, "as it was then, and no good any more");
    assert!(engine.api_key(&text).is_none());
    // A day later the same command is another one, and its key has a secret of its own. Keys are forgotten when the next one comes.
    wait(engine.advance(Duration::from_secs(25 * 3_600))).unwrap();
    wait(under(&engine, 2).create_shop(NewShop::new("b", Currency::USD))).unwrap();
    let (again, new) = make(&engine).unwrap();
    assert_eq!(again.id, ApiKeyId(3));
    assert_ne!(new.rsplit_once('_').unwrap().1, secret);
    // With another keyring nothing is shown that would be no good.
    engine.shutdown().unwrap();
    drop(engine);
    std::fs::write(dir.path().join("secrets/keyring"), []).unwrap();
    let engine = durable(dir.path(), 1);
    assert_eq!(shown(&engine).text, None);
    assert!(engine.api_key(&new).is_some(), "it is good all the same");
}

/// Every file below a folder.
fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn a_machine_signs_in_by_its_key_until_it_is_revoked() {
    let engine = still();
    let (key, text) = wait(engine.create_api_key("gateway".into())).unwrap();
    assert_eq!(engine.api_key(&text).unwrap(), key);
    let (_, other) = wait(engine.create_api_key("another".into())).unwrap();
    assert_eq!(engine.api_key(&other).unwrap().id, ApiKeyId(2));
    let mixed = text.replace("stk_1_", "stk_2_");
    for wrong in ["", "stk_1_", &mixed, &text[..text.len() - 1]] {
        assert!(engine.api_key(wrong).is_none());
    }
    wait(engine.revoke_api_key(key.id)).unwrap();
    assert!(engine.api_key(&text).is_none());
    wait(engine.revoke_api_key(key.id)).expect("it stays revoked");
    is(wait(engine.revoke_api_key(ApiKeyId(3))), Refusal::NotFound { kind: "api key", id: 3 });
    assert_eq!(engine.api_keys().len(), 1);
    check(&engine);
}

#[test]
fn of_all_who_want_one_address_exactly_one_gets_it() {
    let engine = still();
    let many = LOT_SLOTS as usize + 50;
    let register = |n: usize| {
        let email = format!("{}@example.com", n / 2);
        engine.register(Role::Customer, person(&email, "", ""))
    };
    let registered = wait(futures_util::future::join_all((0..many).map(register)));
    assert_eq!(registered.iter().filter(|result| result.is_ok()).count(), many / 2);
    let more =
        (0..many).map(|n| engine.register(Role::Customer, person("", &format!("u{n:04}"), "")));
    let more = wait(futures_util::future::join_all(more));
    assert!(more.iter().all(Result::is_ok), "keys are made as they are needed");
    let last = engine.customers(many as u64, 500, |_| true);
    assert_eq!((last.len(), last[0].id.number()), (500, many as u64 + 1));
    let even = engine.customers(0, 3, |account| account.id.number() % 2 == 0);
    assert_eq!(even.iter().map(|account| account.id.number()).collect::<Vec<_>>(), [2, 4, 6]);
    assert!(last.iter().all(|account| engine.personal(account).is_some()));
    check(&engine);
}

/// What a restart must keep.
struct Before {
    digest: u64,
    refresh_token: String,
    api_key: String,
}

fn some_accounts(path: &Path) -> Before {
    let engine = durable(path, 2);
    let ids: Vec<_> = (0..70).map(|n| register(&engine, &format!("{n}@example.com")).id).collect();
    let admin = wait(engine.register(Role::Admin, person("", "root", ""))).unwrap();
    wait(engine.set_role(ids[5], None, Role::Staff)).unwrap();
    wait(engine.erase_account(ids[6], None)).unwrap();
    ids[..40].iter().filter(|id| **id != ids[6]).for_each(|id| drop(open(&engine, *id)));
    wait(engine.revoke_sessions(ids[7])).unwrap();
    let rotated = wait(engine.rotate_session(&open(&engine, admin.id).refresh_token, DAY)).unwrap();
    let (key, _) = wait(engine.create_api_key("old".into())).unwrap();
    let (_, api_key) = wait(engine.create_api_key("new".into())).unwrap();
    wait(engine.revoke_api_key(key.id)).unwrap();
    check(&engine);
    engine.shutdown().unwrap();
    Before { digest: engine.digest(), refresh_token: rotated.refresh_token, api_key }
}

#[test]
fn a_restart_keeps_everybody_with_and_without_sled() {
    let dir = tempfile::tempdir().unwrap();
    let before = some_accounts(dir.path());
    for with_sled in [true, false] {
        let copy = tempfile::tempdir().unwrap();
        copy_tree(dir.path(), copy.path());
        if !with_sled {
            fs::remove_dir_all(copy.path().join("state")).unwrap();
        }
        let verified = verify(copy.path()).unwrap();
        assert_eq!((verified.audit.violations, verified.audit.digest), (vec![], before.digest));
        assert_eq!(verified.state_agrees, with_sled.then_some(true));
        let engine = durable(copy.path(), 1);
        assert_eq!(engine.opened().replayed == 0, with_sled);
        check(&engine);
        let ninth = engine.account_by_login("8@EXAMPLE.com").unwrap();
        assert!(engine.personal(&ninth) == Some(person("8@example.com", "", "")));
        assert!(engine.account_by_login("6@example.com").is_none());
        assert_eq!(engine.account(AccountId::Customer(CustomerId(6))).unwrap().role, Role::Staff);
        assert_eq!((engine.admins(), engine.api_keys().len()), (1, 1));
        assert!(engine.api_key(&before.api_key).is_some());
        let gone_on = wait(engine.rotate_session(&before.refresh_token, DAY)).unwrap();
        assert_eq!(gone_on.account.id, AccountId::Account(1));
        assert_eq!(open(&engine, ninth.id).session.id, SessionId(41), "ids go on");
        let next = register(&engine, "6@example.com");
        assert_eq!(next.id, AccountId::Customer(CustomerId(71)));
        assert!(engine.personal(&next).is_some());
        check(&engine);
    }
}

#[test]
fn a_keyring_that_is_gone_is_not_taken_for_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let ring = dir.path().join("secrets").join("keyring");
    let engine = durable(dir.path(), 1);
    assert!(!ring.exists(), "an engine without accounts has none");
    let ann = register(&engine, "ann@example.com");
    drop(engine);
    let whole = fs::read(&ring).unwrap();
    let refused = |what: &str| {
        let config = Config::new(dir.path()).with_virtual_clock(START_MS);
        match Engine::open(config) {
            Err(error @ OpenError::Keyring(_)) => {
                let text = error.to_string();
                assert!(text.contains("secrets/keyring") && text.contains(what), "{text}");
            }
            other => panic!("{what}: {:?}", other.map(drop)),
        }
    };
    fs::remove_file(&ring).unwrap();
    refused("missing");
    let mut damaged = whole.clone();
    damaged[20] ^= 1;
    fs::write(&ring, &damaged).unwrap();
    refused("damaged");
    // A key that is damaged costs its own account alone.
    let mut one = whole.clone();
    one[64 + 20] ^= 1;
    fs::write(&ring, &one).unwrap();
    let engine = durable(dir.path(), 1);
    assert!(engine.personal(&engine.account(ann.id).unwrap()).is_none());
    assert!(engine.personal(&register(&engine, "bob@example.com")).is_some());
    drop(engine);
    // Somebody has said that it is lost.
    fs::write(&ring, "").unwrap();
    let engine = durable(dir.path(), 1);
    assert!(engine.personal(&engine.account(ann.id).unwrap()).is_none());
    assert!(engine.account_by_login("ann@example.com").is_none());
    assert!(engine.personal(&register(&engine, "ann@example.com")).is_some());
    check(&engine);
}

#[test]
fn a_secret_is_made_once() {
    let dir = tempfile::tempdir().unwrap();
    let make = |byte: u8| move || vec![byte; 4];
    let engine = durable(dir.path(), 1);
    assert_eq!(engine.secret("tokens", make(1)).unwrap(), [1; 4]);
    assert_eq!(engine.secret("tokens", make(2)).unwrap(), [1; 4]);
    drop(engine);
    assert_eq!(durable(dir.path(), 1).secret("tokens", make(3)).unwrap(), [1; 4]);
    assert_eq!(still().secret("tokens", make(4)).unwrap(), [4; 4]);
}

#[test]
fn nobody_becomes_whom_orders_and_holds_named_before_he_came() {
    let dir = tempfile::tempdir().unwrap();
    let engine = durable(dir.path(), 1);
    let thing = product(&engine, 10);
    let named = |id| Some(CustomerId(id));
    for id in [1, 3, 900] {
        let order = PlaceOrder { customer: named(id), ..order_of(&[(thing, 1)]) };
        wait(engine.place_order(order)).unwrap();
    }
    let hold = PlaceHold { customer: named(2), ..hold_of(None, &[(thing, 1)]) };
    let hold = wait(engine.reserve(hold)).unwrap();
    wait(engine.release_reservation(hold.id)).unwrap();
    drop(engine);
    let engine = durable(dir.path(), 1);
    let id = |number| AccountId::Customer(CustomerId(number));
    assert_eq!(register(&engine, "ann@example.com").id, id(4));
    assert_eq!(register(&engine, "bob@example.com").id, id(5));
    assert!(engine.account(id(1)).is_none() && engine.account(id(900)).is_none());
    drop(engine);
    let engine = durable(dir.path(), 1);
    assert_eq!(engine.account_by_login("bob@example.com").unwrap().id, id(5));
    assert_eq!(register(&engine, "cleo@example.com").id, id(6));
    check(&engine);
}
