use super::*;
use crate::limits::{SESSION_TTL_MS_MAX, SESSIONS_MAX};

fn ended(session: u64, why: Revoked) -> AccountEvent {
    AccountEvent::SessionRevoked { account: ANN, session: SessionId(session), why, at: NOW }
}

fn all_ended(why: Revoked) -> AccountEvent {
    AccountEvent::SessionsRevoked { account: ANN, why, at: NOW }
}

fn running(accounts: &Accounts, id: AccountId) -> Vec<u64> {
    accounts.sessions(id).iter().map(|session| session.id.0).collect()
}

#[test]
fn a_refresh_token_is_exchanged_for_the_next() {
    let world = world().and(open(ANN, 1)).and(rotate(ANN, 1, 101, 1, 2));
    let session = world.state().session(ANN, SessionId(1)).unwrap();
    assert_eq!((session.token, session.family), (token(2), token(101)));
    let later = NOW.plus_ms(600);
    let after = world.at(later).when(rotate(ANN, 1, 101, 2, 3)).granted();
    assert_eq!(after.session(ANN, SessionId(1)).unwrap().expires_at, later.plus_ms(1_000));
    assert_eq!(after.get(ANN).unwrap().version, 1, "sessions do not change an account");
}

#[test]
fn a_token_that_is_used_again_ends_its_session() {
    let world = world().and(open(ANN, 1)).and(open(ANN, 2)).and(rotate(ANN, 1, 101, 1, 3));
    let after = world.when(rotate(ANN, 1, 101, 1, 4)).then([ended(1, Revoked::Reused)]);
    assert_eq!(running(&after, ANN), [2]);
    let after = world.happened(ended(1, Revoked::Reused));
    after.when(rotate(ANN, 1, 101, 3, 4)).refused(Refusal::SessionEnded);
}

#[test]
fn a_guess_ends_nobodys_session() {
    let world = world().and(open(ANN, 1));
    for guess in [
        rotate(ANN, 1, 50, 1, 2),
        rotate(ANN, 2, 101, 1, 2),
        rotate(BOB, 1, 101, 1, 2),
        rotate(AccountId::Account(9), 1, 101, 1, 2),
    ] {
        world.when(guess).refused(Refusal::SessionEnded);
    }
    world.when(rotate(ANN, 1, 101, 1, 2)).granted();
}

#[test]
fn a_session_ends_with_its_time() {
    let world = world().and(open(ANN, 1));
    let end = NOW.plus_ms(1_000);
    world.clone().at(NOW.plus_ms(999)).when(rotate(ANN, 1, 101, 1, 2)).granted();
    let late = world.at(end);
    late.when(rotate(ANN, 1, 101, 1, 2)).refused(Refusal::SessionEnded);
    let next = late.when(open(ANN, 3)).granted();
    assert_eq!(running(&next, ANN), [2], "what has ended is forgotten at the next sign-in");
}

#[test]
fn how_long_a_token_is_good_has_a_bound() {
    let world = world().and(open(ANN, 1));
    for ttl_ms in [0, SESSION_TTL_MS_MAX + 1, u64::MAX] {
        let (family, token) = (token(101), token(1));
        world.when(C::OpenSession { id: ANN, family, token, ttl_ms }).invalid("ttl_ms");
        let (id, session, presented, next) = (ANN, SessionId(1), token, family);
        world
            .when(C::RotateSession { id, session, family, presented, next, ttl_ms })
            .invalid("ttl_ms");
    }
}

#[test]
fn one_session_too_many_ends_the_oldest() {
    let full = (0..SESSIONS_MAX as u8).fold(world(), |world, n| world.and(open(ANN, n)));
    let events = full.when(open(ANN, 99)).events();
    assert_eq!((events.len(), &events[0]), (2, &ended(1, Revoked::Replaced)));
    let after = full.and(open(ANN, 99));
    assert_eq!(after.state().sessions(ANN).len(), SESSIONS_MAX);
    assert!(after.state().session(ANN, SessionId(1)).is_none());
}

#[test]
fn signing_out_ends_one_or_all() {
    let world = world().and(open(ANN, 1)).and(open(ANN, 2)).and(open(BOB, 3));
    let one = C::RevokeSession { id: ANN, session: SessionId(1) };
    world.when(one.clone()).then([ended(1, Revoked::LoggedOut)]);
    world.clone().and(one.clone()).when(one).nothing();
    world.when(C::RevokeSession { id: BOB, session: SessionId(1) }).nothing();
    let after = world.when(C::RevokeSessions { id: ANN }).then([all_ended(Revoked::LoggedOut)]);
    assert_eq!((running(&after, ANN), running(&after, BOB)), (vec![], vec![3]));
    world.and(C::RevokeSessions { id: ANN }).when(C::RevokeSessions { id: ANN }).nothing();
    let next = given_next(after);
    assert_eq!(running(&next, ANN), [4], "no session is numbered twice");
}

fn given_next(mut accounts: Accounts) -> Accounts {
    let events = accounts.decide(&open(ANN, 9), NOW).unwrap();
    events.iter().for_each(|event| accounts.evolve(event));
    accounts
}

#[test]
fn another_password_or_role_and_erasing_end_all_sessions() {
    let world = world().and(open(ANN, 1)).and(open(ANN, 2));
    let identity = identity(Some(1), Some(101));
    let password =
        C::Change { id: ANN, expected: None, identity: identity.clone(), password: true };
    for (command, why) in [
        (password, Revoked::PasswordChanged),
        (set_role(ANN, Role::Staff), Revoked::RoleChanged),
        (erase(ANN), Revoked::Erased),
    ] {
        let events = world.when(command).events();
        assert_eq!((events.len(), &events[1]), (2, &all_ended(why)));
    }
    let after = world.when(change(ANN, identity)).granted();
    assert_eq!(running(&after, ANN), [1, 2], "another name ends none");
}
