//! The password that a first start makes up: a file of the data directory has it until nobody signs in by it any more.

use actix_web::web;
use stockade_actors::{Engine, OpenError};

use crate::{
    passwords::{Checked, Password, fits},
    state::State,
};

/// Under which name the data directory keeps the password that the first start made up, with a line break behind it.
pub const FIRST_PASSWORD: &str = "admin-password";

/// Removes the file of the first password, durably, if that is no staff member's or admin's password any more. It compares with the
/// hashes of all of them, so that it takes a while and works for whoever it was. Blocks on the disk.
///
/// # Errors
/// The file cannot be read or removed.
///
/// ```
/// use stockade_actors::Engine;
/// use stockade_http::{FIRST_PASSWORD, forget_first_password};
///
/// let folder = tempfile::tempdir()?;
/// let engine = Engine::open(stockade_actors::Config::new(folder.path()))?;
/// engine.secret(FIRST_PASSWORD, || b"made up\n".to_vec())?;
/// forget_first_password(&engine)?;
/// assert_eq!(engine.kept_secret(FIRST_PASSWORD)?, None, "nobody has it");
/// # engine.shutdown()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn forget_first_password(engine: &Engine) -> Result<(), OpenError> {
    let Some(first) = kept(engine)? else { return Ok(()) };
    let hashes =
        engine.accounts().into_iter().filter_map(|account| engine.personal(&account)?.password);
    // What cannot be compared may be it.
    let is_in_use = hashes.into_iter().any(|hash| fits(&first, &hash) != Ok(false));
    if is_in_use { Ok(()) } else { engine.forget_secret(FIRST_PASSWORD) }
}

/// The same when somebody has just exchanged this password, which he proved, for another.
pub(crate) async fn was_changed(engine: &Engine, old: Password) {
    let engine = engine.clone();
    let forget = move || match kept(&engine)? {
        Some(first) if first == old.0 => engine.forget_secret(FIRST_PASSWORD),
        _ => Ok(()),
    };
    // The password is changed whatever comes of this, and the next start looks again.
    match web::block(forget).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::error!(%error, "the file with the first password is still there")
        }
        Err(error) => tracing::error!(%error, "the file with the first password is still there"),
    }
}

/// The same when an admin has given somebody another password in place of the one with this hash, which nobody proved.
pub(crate) async fn was_replaced(state: &State, hash: Option<Box<str>>) {
    let engine = state.engine.clone();
    // What cannot be read or compared now, the next start looks at again.
    let Ok(Ok(Some(first))) = web::block(move || kept(&engine)).await else { return };
    let first = Password(first);
    if let Ok(Checked::Right | Checked::Outdated(_)) =
        state.passwords.check(first.clone(), hash).await
    {
        was_changed(&state.engine, first).await;
    }
}

/// The first password, while there is a file with it.
fn kept(engine: &Engine) -> Result<Option<String>, OpenError> {
    let kept = engine.kept_secret(FIRST_PASSWORD)?;
    Ok(kept.map(|bytes| String::from_utf8_lossy(&bytes).trim_end().to_owned()))
}
