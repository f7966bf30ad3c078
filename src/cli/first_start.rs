//! What a server needs before anybody can sign in: an admin.

use std::io::{self, IsTerminal};

use stockade::{
    Engine, Error,
    domain::{
        Refusal,
        account::{Personal, Role},
    },
    http::{FIRST_PASSWORD, forget_first_password, generate_password, hash_password},
};

use super::{Failure, config::Settings};

/// As whom the first admin signs in.
const USERNAME: &str = "admin";

/// Makes the account `admin` if nobody may do everything yet, and says how to sign in.
pub(super) async fn make_admin(
    settings: &Settings,
    engine: &Engine,
) -> Result<Option<String>, Failure> {
    if engine.admins() > 0 {
        // A crash may have come between a change of the password and the end of its file.
        forget_first_password(engine)?;
        return Ok(None);
    }
    let (password, said) = match &settings.admin_password {
        Some(password) => (password.clone(), "with the password that was set".to_owned()),
        None => made_up(settings, engine)?,
    };
    let hash = hash_password(&password)
        .map_err(|error| Failure::usage(format!("the password of {USERNAME} {error}")))?;
    let username = Some(USERNAME.into());
    let person = Personal { username, password: Some(hash.into()), ..Personal::default() };
    match engine.register(Role::Admin, person).await {
        Ok(_) => Ok(Some(format!("sign in as {USERNAME} {said}"))),
        Err(Error::Refused(Refusal::UsernameTaken)) => Err(Failure::work(format!(
            "there is no admin, and somebody else is called {USERNAME}: make one with stockade user create --role admin"
        ))),
        Err(error) => Err(error.into()),
    }
}

/// A password, and where to read it. It is in its file before the account is there: a start that was cut off between the two made
/// nothing that nobody can use.
fn made_up(settings: &Settings, engine: &Engine) -> Result<(String, String), Failure> {
    let new = generate_password().map_err(Failure::work)?;
    let kept = engine.secret(FIRST_PASSWORD, || format!("{new}\n").into_bytes())?;
    let kept = String::from_utf8(kept).map_err(Failure::work)?;
    let password = kept.trim_end().to_owned();
    let file = settings.data_dir.join("secrets").join(FIRST_PASSWORD);
    let said = match (settings.in_memory, io::stdout().is_terminal()) {
        (true, _) => format!("with the password {password}"),
        (false, true) => format!("with the password {password} (kept in {})", file.display()),
        // What is printed here may be a log that others read.
        (false, false) => format!("with the password in {}", file.display()),
    };
    Ok((password, said))
}
