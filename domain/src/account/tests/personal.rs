use super::super::{Personal, PersonalChange, login_key};
use crate::{
    limits::{EMAIL_MAX, TEXT_MAX, USERNAME_MAX},
    testing::invalid,
};

fn person(email: &str, username: &str, name: &str, password: &str) -> Personal {
    let some = |text: &str| (!text.is_empty()).then(|| text.into());
    Personal {
        email: some(email),
        username: some(username),
        name: some(name),
        password: some(password),
    }
}

#[test]
fn whoever_can_be_somebody_is() {
    for fine in [
        person("ann@example.com", "", "", ""),
        person("Ann.B+shop@mail.example.co", "ann_b.2-x", "Ann Bé", "$argon2id$v=19$"),
        person("a@b", "", "", ""),
        person("", "abc", "", "$argon2id$"),
        person("", "", "Walk-in", ""),
    ] {
        assert_eq!(fine.check(), Ok(()));
    }
}

#[test]
fn every_field_has_its_shape_and_length() {
    let long = |n: usize| "x".repeat(n);
    for email in ["plain", "@b.c", "a@", "a@b..c", "a@.b", "a b@c.d", "a@b@c", "a@b.c\n", " "] {
        invalid(person(email, "", "", "").check(), "email");
    }
    invalid(person(&format!("{}@b.c", long(EMAIL_MAX - 3)), "", "", "").check(), "email");
    for username in ["ab", "Abc", "a b", "é-é", "a@b", "   "] {
        invalid(person("", username, "", "").check(), "username");
    }
    invalid(person("", &long(USERNAME_MAX + 1), "", "").check(), "username");
    assert_eq!(person("", &long(USERNAME_MAX), "", "").check(), Ok(()));
    for name in [" ".into(), "a\u{7}".into(), long(TEXT_MAX + 1)] {
        invalid(person("", "", &name, "").check(), "name");
    }
    invalid(person("a@b", "", "", &long(TEXT_MAX + 1)).check(), "password");
    invalid(person("", "", "Ann", "$argon2id$").check(), "email");
    invalid(Personal::default().check(), "name");
}

#[test]
fn a_change_keeps_what_it_does_not_name() {
    let ann = person("ann@b.c", "ann", "Ann", "$1");
    assert!(ann.changed(PersonalChange::default()) == ann);
    let change = PersonalChange {
        email: Some(Some("Ann@new.c".into())),
        username: Some(Some("ANN".into())),
        name: Some(None),
        password: Some("$2".into()),
        rehashed: None,
    };
    assert!(ann.changed(change) == person("Ann@new.c", "ann", "", "$2"));
    let anew = PersonalChange { rehashed: Some("$3".into()), ..PersonalChange::default() };
    assert!(ann.changed(anew) == person("ann@b.c", "ann", "Ann", "$3"));
    assert_eq!(login_key("Ann@NEW.c"), "ann@new.c");
}

#[test]
fn nobody_is_shown_in_a_log() {
    let change = PersonalChange { name: Some(Some("Ann".into())), ..Default::default() };
    let shown = format!("{:?} {change:?}", person("ann@b.c", "ann", "Ann", "$1"));
    assert_eq!(shown, "Personal(..) PersonalChange(..)");
}
