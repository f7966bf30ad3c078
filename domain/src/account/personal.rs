use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    Refusal,
    limits::{EMAIL_MAX, TEXT_MAX, USERNAME_MAX, USERNAME_MIN},
    refusal::check_text,
};

/// What is known of a person. It is sealed wherever it is kept, and never shown in a log.
#[doc = include_str!("../../docs/personal.md")]
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Personal {
    /// As he wrote it; upper and lower case are not told apart.
    pub email: Option<Box<str>>,
    /// In lower case.
    pub username: Option<Box<str>>,
    /// What he is called.
    pub name: Option<Box<str>>,
    /// The hash of his password, as a PHC string; without one nobody can sign in.
    pub password: Option<Box<str>>,
}

/// A change of a person; what is absent stays, and `Some(None)` removes.
#[doc = include_str!("../../docs/personal_change.md")]
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PersonalChange {
    /// Another e-mail address.
    pub email: Option<Option<String>>,
    /// Another username.
    pub username: Option<Option<String>>,
    /// Another name.
    pub name: Option<Option<String>>,
    /// The hash of another password, as a PHC string. It ends the account's sessions.
    pub password: Option<String>,
    /// Another hash of the same password: it ends nothing.
    pub rehashed: Option<String>,
}

/// What logins are compared by: nobody tells upper and lower case apart.
#[doc = include_str!("../../docs/login_key.md")]
#[must_use]
pub fn login_key(login: &str) -> String {
    login.to_lowercase()
}

impl Personal {
    /// The same, with the username in lower case.
    #[doc = include_str!("../../docs/normalized.md")]
    #[must_use]
    pub fn normalized(mut self) -> Self {
        self.username = self.username.map(|username| login_key(&username).into());
        self
    }

    /// The same with a change applied.
    #[doc = include_str!("../../docs/changed.md")]
    #[must_use]
    pub fn changed(&self, change: PersonalChange) -> Self {
        let field = |new: Option<Option<String>>, old: &Option<Box<str>>| {
            new.map_or_else(|| old.clone(), |new| new.map(Into::into))
        };
        Self {
            email: field(change.email, &self.email),
            username: field(change.username, &self.username),
            name: field(change.name, &self.name),
            password: field(change.password.or(change.rehashed).map(Some), &self.password),
        }
        .normalized()
    }

    /// Checks every field. Whoever seals it asks first.
    ///
    /// # Errors
    /// A field out of its range or shape, nothing at all, or a password without a login.
    #[doc = include_str!("../../docs/personal_check.md")]
    pub fn check(&self) -> Result<(), Refusal> {
        let Self { email, username, name, password } = self;
        if email.is_none() && username.is_none() {
            if password.is_some() {
                let detail = "whoever has a password needs an e-mail address or a username";
                return Err(Refusal::invalid("email", detail));
            }
            if name.is_none() {
                return Err(Refusal::invalid("name", "a name, an e-mail address or a username"));
            }
        }
        email.as_deref().map_or(Ok(()), check_email)?;
        username.as_deref().map_or(Ok(()), check_username)?;
        name.as_deref().map_or(Ok(()), |name| check_text("name", name, TEXT_MAX))?;
        password.as_deref().map_or(Ok(()), |hash| check_text("password", hash, TEXT_MAX))
    }
}

/// Rather too much than too little is an e-mail address: only a message that arrives proves one.
fn check_email(email: &str) -> Result<(), Refusal> {
    let wrong = |detail: String| Err(Refusal::invalid("email", detail));
    if email.len() > EMAIL_MAX {
        return wrong(format!("must be at most {EMAIL_MAX} bytes"));
    }
    let forbidden = |c: char| c.is_whitespace() || c.is_control();
    match email.split_once('@') {
        Some((local, host))
            if !local.is_empty()
                && !email.contains(forbidden)
                && !host.contains('@')
                && host.split('.').all(|label| !label.is_empty()) =>
        {
            Ok(())
        }
        _ => wrong("must be an e-mail address, such as name@example.com".into()),
    }
}

fn check_username(username: &str) -> Result<(), Refusal> {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    if !(USERNAME_MIN..=USERNAME_MAX).contains(&username.len()) || !username.bytes().all(allowed) {
        let detail = format!(
            "must be {USERNAME_MIN} to {USERNAME_MAX} of the letters a-z, 0-9, '.', '_', '-'"
        );
        return Err(Refusal::invalid("username", detail));
    }
    Ok(())
}

// Whatever is logged by accident is not who somebody is.
impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Personal(..)")
    }
}

impl fmt::Debug for PersonalChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonalChange(..)")
    }
}
