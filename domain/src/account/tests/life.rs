use super::*;
use crate::{
    ApiKeyId,
    limits::{API_KEYS_MAX, TEXT_MAX},
};

#[test]
fn each_kind_is_numbered_from_one() {
    let world = world();
    let accounts = world.state();
    assert_eq!(accounts.get(ANN).unwrap().role, Role::Customer);
    assert_eq!(accounts.get(ROOT).unwrap().role, Role::Admin);
    assert_eq!((accounts.get(ANN).unwrap().version, accounts.last_key()), (1, 3));
    assert_eq!(accounts.customers_after(0).count(), 2);
    assert_eq!(accounts.customers_after(1).next().unwrap().id, BOB);
    assert_eq!(accounts.accounts_after(0).count(), 1);
    let after = world.when(register(Role::Staff, 4, identity(Some(4), None))).granted();
    assert_eq!(after.accounts_after(1).next().unwrap().id, AccountId::Account(2));
    for nobody in [AccountId::Account(0), AccountId::Account(2), AccountId::Customer(CustomerId(3))]
    {
        assert!(accounts.get(nobody).is_none());
    }
}

#[test]
fn whoever_is_named_before_he_is_there_is_nobody_later() {
    let customer = |key, above| C::Register {
        role: Role::Customer,
        key: KeySlot(key),
        above,
        identity: identity(Some(key as u8), None),
    };
    let world = world().and(customer(4, 1)).and(customer(5, 900)).and(customer(6, 7));
    let accounts = world.state();
    let ids = |after| accounts.customers_after(after).map(|known| known.id.number());
    assert_eq!(ids(0).collect::<Vec<_>>(), [1, 2, 3, 901, 902]);
    assert_eq!(ids(3).collect::<Vec<_>>(), [901, 902]);
    assert_eq!(ids(901).chain(ids(u64::MAX)).collect::<Vec<_>>(), [902]);
    let customer = |id| accounts.get(AccountId::Customer(CustomerId(id)));
    assert_eq!(customer(901).unwrap().key, KeySlot(5));
    assert!(customer(4).is_none() && customer(900).is_none() && customer(0).is_none());
    let staff = C::Register {
        role: Role::Staff,
        key: KeySlot(7),
        above: 900,
        identity: identity(Some(7), None),
    };
    let accounts = world.when(staff).granted();
    assert_eq!(accounts.accounts_after(1).next().unwrap().id, AccountId::Account(2));
}

#[test]
fn a_login_belongs_to_one_account_of_any_kind() {
    let world = world();
    world.when(register(Role::Staff, 4, identity(Some(1), None))).refused(Refusal::EmailTaken);
    let same_username = register(Role::Customer, 4, identity(Some(5), Some(109)));
    world.when(same_username).refused(Refusal::UsernameTaken);
    world.when(change(BOB, identity(Some(1), None))).refused(Refusal::EmailTaken);
    world.when(change(BOB, identity(Some(2), Some(101)))).refused(Refusal::UsernameTaken);
    assert_eq!(world.state().by_login(login(101)).unwrap().id, ANN);
    assert!(world.state().by_login(login(50)).is_none());
}

#[test]
fn a_login_given_up_is_free() {
    let moved = world().and(change(ANN, identity(Some(11), Some(101))));
    assert_eq!(moved.state().by_login(login(11)).unwrap().version, 2);
    assert!(moved.state().by_login(login(1)).is_none());
    let taken = moved.and(change(BOB, identity(Some(1), None)));
    assert_eq!(taken.state().by_login(login(1)).unwrap().id, BOB);
}

#[test]
fn whoever_saw_an_older_version_is_refused() {
    let conflict = Refusal::VersionConflict { expected: 1, current: 2 };
    let world = world().and(change(ANN, identity(Some(11), None)));
    let (id, expected) = (ANN, Some(1));
    let stale = C::Change { id, expected, identity: identity(Some(12), None), password: false };
    world.when(stale).refused(conflict.clone());
    world.when(C::SetRole { id, expected, role: Role::Staff }).refused(conflict.clone());
    world.when(C::Erase { id, expected }).refused(conflict);
    world.when(C::SetRole { id, expected: Some(2), role: Role::Staff }).granted();
}

#[test]
fn somebody_stays_admin() {
    let world = world();
    world.when(set_role(ROOT, Role::Staff)).refused(Refusal::LastAdmin);
    world.when(erase(ROOT)).refused(Refusal::LastAdmin);
    let two = world.and(set_role(ANN, Role::Admin));
    assert_eq!(two.state().admins(), 2);
    let one = two.and(erase(ROOT));
    assert_eq!(one.state().admins(), 1);
    one.when(set_role(ANN, Role::Customer)).refused(Refusal::LastAdmin);
    one.when(erase(ANN)).refused(Refusal::LastAdmin);
}

#[test]
fn roles_change_and_ids_stay() {
    let world = world();
    let staff = world.when(set_role(BOB, Role::Staff)).granted();
    assert_eq!(staff.get(BOB).unwrap().role, Role::Staff);
    world.when(set_role(BOB, Role::Customer)).nothing();
    let two = world.and(register(Role::Staff, 4, identity(Some(4), None)));
    two.when(set_role(AccountId::Account(2), Role::Customer)).invalid("role");
}

#[test]
fn an_erased_account_is_found_by_nobody_and_stays_erased() {
    let erased = world().and(open(ANN, 1)).and(erase(ANN));
    let account = erased.state().get(ANN).unwrap();
    assert!(account.is_erased() && account.identity.is_none());
    assert_eq!((account.version, account.key), (2, KeySlot(1)));
    assert!(erased.state().by_login(login(1)).is_none());
    assert!(erased.state().by_login(login(101)).is_none());
    erased.when(erase(ANN)).nothing();
    for command in [
        change(ANN, identity(Some(1), None)),
        set_role(ANN, Role::Staff),
        open(ANN, 2),
        C::RevokeSessions { id: ANN },
    ] {
        erased.when(command).refused(not_found(ANN));
    }
    let again = erased.when(register(Role::Customer, 4, identity(Some(1), Some(101)))).granted();
    assert_eq!(again.by_login(login(1)).unwrap().id, AccountId::Customer(CustomerId(3)));
}

#[test]
fn nobody_is_changed_who_never_was() {
    let nobody = AccountId::Account(9);
    for command in [
        change(nobody, identity(Some(9), None)),
        set_role(nobody, Role::Admin),
        erase(nobody),
        open(nobody, 1),
        C::RevokeSessions { id: nobody },
    ] {
        world().when(command).refused(not_found(nobody));
    }
    world().when(C::RevokeSession { id: nobody, session: SessionId(1) }).nothing();
}

#[test]
fn api_keys_come_and_go_and_are_never_numbered_twice() {
    let key = |name: &str| C::CreateApiKey { name: name.into(), token: token(1) };
    let revoke = |id| C::RevokeApiKey { id: ApiKeyId(id) };
    let one = world().and(key("gateway"));
    assert_eq!(one.state().api_key(ApiKeyId(1)).unwrap().name.as_ref(), "gateway");
    one.when(revoke(1)).then([AccountEvent::ApiKeyRevoked { id: ApiKeyId(1), at: NOW }]);
    let gone = one.and(revoke(1));
    gone.when(revoke(1)).nothing();
    for never in [0, 2] {
        gone.when(revoke(never)).refused(Refusal::NotFound { kind: "api key", id: never });
    }
    let next = gone.and(key("another"));
    assert_eq!(next.state().api_keys().next().unwrap().id, ApiKeyId(2));
    next.when(key(" ")).invalid("name");
    next.when(key(&"x".repeat(TEXT_MAX + 1))).invalid("name");
    let full = (1..API_KEYS_MAX).fold(next, |world, _| world.and(key("more")));
    full.when(key("one too many")).refused(Refusal::TooManyApiKeys(API_KEYS_MAX));
    full.and(revoke(2)).when(key("again")).granted();
}

#[test]
fn a_login_is_another_one_after_its_password_or_role_changed() {
    let login = |world: &Given<Accounts>| world.state().login_version(ANN).unwrap();
    let world = world();
    let first = login(&world);
    assert_eq!(first, LoginVersion { version: 1, since: NOW });
    let renamed = world.and(change(ANN, identity(Some(11), Some(101)))).and(open(ANN, 1));
    assert_eq!(login(&renamed), first, "another name is the same login");
    let password =
        C::Change { id: ANN, expected: None, identity: identity(Some(1), None), password: true };
    let changed = renamed.and(password);
    assert_eq!(login(&changed).version, 3);
    let back = changed.and(set_role(ANN, Role::Staff)).and(set_role(ANN, Role::Customer));
    assert_eq!(login(&back).version, 5, "the same role again is not the same login");
    assert_eq!(back.state().login_version(BOB), Some(first));
    assert_eq!(back.state().login_version(AccountId::Account(9)), None);
}
