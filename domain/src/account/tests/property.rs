use proptest::prelude::*;

use super::*;

/// What somebody tries, of few accounts and fewer logins, so that they collide.
fn attempt() -> impl Strategy<Value = C> {
    let id = || {
        prop_oneof![
            (1..5_u64).prop_map(|id| AccountId::Customer(CustomerId(id))),
            (1..4_u64).prop_map(AccountId::Account),
        ]
    };
    let role = || prop_oneof![Just(Role::Customer), Just(Role::Staff), Just(Role::Admin)];
    let who = || {
        (prop::option::of(0..4_u8), prop::option::of(100..103_u8))
            .prop_map(|(email, username)| identity(email, username))
    };
    prop_oneof![
        (role(), who()).prop_map(|(role, identity)| register(role, 0, identity)),
        (id(), who(), any::<bool>()).prop_map(|(id, identity, password)| C::Change {
            id,
            expected: None,
            identity,
            password
        }),
        (id(), role()).prop_map(|(id, role)| set_role(id, role)),
        id().prop_map(erase),
        (id(), 0..100_u8).prop_map(|(id, n)| open(id, n)),
        (id(), 1..6_u64, 0..100_u8).prop_map(|(id, session, n)| rotate(
            id,
            session,
            n + 100,
            n,
            n + 1
        )),
        (id(), 1..6_u64)
            .prop_map(|(id, session)| C::RevokeSession { id, session: SessionId(session) }),
        id().prop_map(|id| C::RevokeSessions { id }),
    ]
}

proptest! {
    #[test]
    fn logins_stay_unique_and_somebody_stays_admin(
        attempts in prop::collection::vec(attempt(), 1..120),
    ) {
        let mut accounts = Accounts::default();
        let mut log = Vec::new();
        for (nth, mut attempt) in (1_u64..).zip(attempts) {
            if let C::Register { key, .. } = &mut attempt {
                *key = KeySlot(accounts.last_key() + 1);
            }
            let had_admin = accounts.admins() > 0;
            let at = NOW.plus_ms(nth * 100);
            if let Ok(events) = accounts.decide(&attempt, at) {
                events.iter().for_each(|event| accounts.evolve(event));
                log.extend(events);
            }
            accounts.check(&mut |violation| panic!("{violation}"));
            prop_assert!(accounts.admins() > 0 || !had_admin, "nobody is admin any more");
        }
        prop_assert_eq!(&Accounts::replay(&log), &accounts);
        prop_assert_eq!(&restored(&accounts), &accounts);
    }
}

/// As a checkpoint keeps them.
fn restored(accounts: &Accounts) -> Accounts {
    let mut again = Accounts::default();
    for account in accounts.customers_after(0).chain(accounts.accounts_after(0)) {
        let login = accounts.login_version(account.id).unwrap();
        again.restore_account(account, login, accounts.sessions(account.id).to_vec());
    }
    again.restore_rest(accounts.counts(), accounts.api_keys().cloned().collect());
    again
}
