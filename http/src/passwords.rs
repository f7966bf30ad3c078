//! Passwords: argon2id, on threads of their own, and only so many at once.
//!
//! A hash costs 19 MiB and tens of milliseconds on purpose. Whoever asks for many must not take the machine from everybody else,
//! so that few run, some wait, and the rest are refused. A hash that has begun keeps its place until it is done, also when the
//! client went away.

use std::{fmt, sync::Arc};

use actix_web::{http::StatusCode, web};
use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use thiserror::Error;
use tokio::sync::Semaphore;

use crate::problem::{Code, Problem};

/// The shortest password, in characters.
pub const PASSWORD_MIN: usize = 8;

/// The longest password, in characters.
pub const PASSWORD_MAX: usize = 128;

/// The cost of a hash: memory in KiB, passes, and threads. What the Open Web Application Security Project asks for.
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
const THREADS: u32 = 1;

/// How every hash of this cost begins. Any other is made anew when its password is seen next.
const PREFIX: &str = "$argon2id$v=19$m=19456,t=2,p=1$";

/// The hash of no password: to compare with it costs what any other costs.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlz$\
                      AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes that wait for their turn: a second or two of work. More are refused.
const WAITING_MAX: usize = 64;

/// Seconds after which somebody who was refused may try again: what waits is worked off by then.
const RETRY_AFTER_SECONDS: u32 = 2;

/// A password in plain, as a body has it. It is never logged.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Password(pub(crate) String);

/// Why a password gets no hash.
///
/// ```
/// use stockade_http::{PasswordError, hash_password};
///
/// assert_eq!(hash_password("short"), Err(PasswordError::Length));
/// assert!(hash_password("a little longer").unwrap().starts_with("$argon2id$"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PasswordError {
    /// It is too short or too long.
    #[error("must be {PASSWORD_MIN} to {PASSWORD_MAX} characters")]
    Length,
    /// There is no memory for it, or no random number.
    #[error("cannot be hashed: the system has too little memory, or no random numbers")]
    System,
}

/// What a password turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    /// Another one than was asked for.
    Wrong,
    /// The right one.
    Right,
    /// The right one, and its hash is of an older cost: here it is anew.
    Outdated(String),
}

/// The hashing of a whole server.
pub(crate) struct Passwords {
    /// One permit for each that runs or waits.
    places: Arc<Semaphore>,
    /// One for each that runs.
    turns: Arc<Semaphore>,
    /// How often a password was compared with a hash.
    #[cfg(test)]
    pub(crate) compared: Arc<std::sync::atomic::AtomicUsize>,
}

/// Hashes a password, as a PHC string. It takes tens of milliseconds.
///
/// # Errors
/// It is too short or too long, or the system has no memory or no random numbers.
///
/// ```
/// let hash = stockade_http::hash_password("correct horse battery staple")?;
/// assert_ne!(hash, stockade_http::hash_password("correct horse battery staple")?, "each has its own salt");
/// # Ok::<(), stockade_http::PasswordError>(())
/// ```
pub fn hash_password(password: &str) -> Result<String, PasswordError> {
    check_password(password)?;
    let system = |_| PasswordError::System;
    let hash: PasswordHash = argon2()?.hash_password(password.as_bytes()).map_err(system)?;
    Ok(hash.to_string())
}

/// A random password that nobody will guess, short enough to be typed.
///
/// # Errors
/// The system has no random numbers.
///
/// ```
/// let password = stockade_http::generate_password()?;
/// assert!(password.len() == 22 && stockade_http::hash_password(&password).is_ok());
/// # Ok::<(), stockade_http::PasswordError>(())
/// ```
pub fn generate_password() -> Result<String, PasswordError> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| PasswordError::System)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

fn argon2() -> Result<Argon2<'static>, PasswordError> {
    let params = Params::new(MEMORY_KIB, PASSES, THREADS, None);
    let params = params.map_err(|_| PasswordError::System)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Whether something may be a password. Nothing is hashed.
///
/// # Errors
/// It is too short or too long.
///
/// ```
/// use stockade_http::{PasswordError, check_password};
///
/// assert_eq!(check_password("short"), Err(PasswordError::Length));
/// assert_eq!(check_password("a little longer"), Ok(()));
/// ```
pub fn check_password(password: &str) -> Result<(), PasswordError> {
    // No character has more than four bytes: a body full of them is not counted through.
    let is_of_length = password.len() <= PASSWORD_MAX * 4
        && (PASSWORD_MIN..=PASSWORD_MAX).contains(&password.chars().count());
    if is_of_length { Ok(()) } else { Err(PasswordError::Length) }
}

/// Compares; the cost is that of the hash.
pub(crate) fn fits(password: &str, hash: &str) -> Result<bool, PasswordError> {
    let hash = PasswordHash::new(hash).map_err(|_| PasswordError::System)?;
    match argon2()?.verify_password(password.as_bytes(), &hash) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(_) => Err(PasswordError::System),
    }
}

impl Passwords {
    /// As many at once as half of the cores.
    pub(crate) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::with((cores / 2).max(1), WAITING_MAX)
    }

    fn with(running: usize, waiting: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(running + waiting)),
            turns: Arc::new(Semaphore::new(running)),
            #[cfg(test)]
            compared: Arc::default(),
        }
    }

    /// Hashes the password that the body has at `pointer`.
    pub(crate) async fn hash(&self, pointer: &str, new: Password) -> Result<String, Problem> {
        self.run(move || hash_password(&new.0)).await?.map_err(|error| match error {
            PasswordError::Length => Problem::field(pointer, error.to_string()),
            PasswordError::System => failed(),
        })
    }

    /// Compares a password with the hash of an account. Without one the work is the same, so that nobody learns from the time
    /// it takes whether there is an account.
    pub(crate) async fn check(
        &self,
        password: Password,
        hash: Option<Box<str>>,
    ) -> Result<Checked, Problem> {
        #[cfg(test)]
        let compared = self.compared.clone();
        let check = move || {
            #[cfg(test)]
            compared.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let fits = fits(&password.0, hash.as_deref().unwrap_or(NOBODY))?;
            match hash.filter(|_| fits) {
                None => Ok(Checked::Wrong),
                Some(hash) if hash.starts_with(PREFIX) => Ok(Checked::Right),
                Some(_) => hash_password(&password.0).map(Checked::Outdated),
            }
        };
        self.run(check).await?.map_err(|_| failed())
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| busy())?;
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| busy())?;
        // Whoever stops waiting gives nothing back: the thread still works.
        let work = move || {
            let done = work();
            drop((place, turn));
            done
        };
        web::block(work).await.map_err(Problem::no_thread)
    }
}

fn busy() -> Problem {
    let detail = "more passwords are being checked than the server's bound; nothing was changed";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, Code::Overloaded, detail)
        .with_retry_after(RETRY_AFTER_SECONDS)
}

fn failed() -> Problem {
    let detail = "the password could not be hashed; nothing was changed";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, detail)
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use actix_web::rt::{System, spawn, task::yield_now};

    use super::*;

    fn password(text: &str) -> Password {
        Password(text.to_owned())
    }

    #[test]
    fn a_hash_is_of_its_password_alone() {
        let hash = hash_password("correct horse").unwrap();
        assert!(hash.starts_with(PREFIX) && NOBODY.starts_with(PREFIX), "{hash}");
        assert_eq!(fits("correct horse", &hash), Ok(true));
        assert_eq!(fits("correct horsf", &hash), Ok(false));
        assert_eq!(fits("", NOBODY), Ok(false));
        assert_eq!(fits("", "no hash"), Err(PasswordError::System));
    }

    #[test]
    fn length_is_counted_in_characters() {
        for (text, is_good) in [
            ("1234567".to_owned(), false),
            ("12345678".to_owned(), true),
            ("пароль12".to_owned(), true),
            ("🗝".repeat(PASSWORD_MAX), true),
            ("🗝".repeat(PASSWORD_MAX + 1), false),
            ("x".repeat(PASSWORD_MAX + 1), false),
            ("x".repeat(1 << 20), false),
        ] {
            assert_eq!(check_password(&text).is_ok(), is_good, "{} bytes", text.len());
        }
    }

    #[test]
    fn a_hash_of_another_cost_is_made_anew() {
        let cheap =
            Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
        let old: PasswordHash = cheap.hash_password(b"correct horse").unwrap();
        let old: Box<str> = old.to_string().into();
        System::new().block_on(async {
            let passwords = Passwords::new();
            let wrong = passwords.check(password("another one"), Some(old.clone())).await.unwrap();
            assert_eq!(wrong, Checked::Wrong);
            let right = passwords.check(password("correct horse"), Some(old)).await.unwrap();
            let Checked::Outdated(anew) = right else { panic!("{right:?}") };
            let again = passwords.check(password("correct horse"), Some(anew.into())).await;
            assert_eq!(again.unwrap(), Checked::Right);
            let nobody = passwords.check(password("correct horse"), None).await.unwrap();
            assert_eq!(nobody, Checked::Wrong);
        });
    }

    #[test]
    fn so_many_run_so_many_wait_and_the_rest_are_refused() {
        System::new().block_on(async {
            let passwords = Arc::new(Passwords::with(1, 1));
            let (go, gate) = mpsc::channel::<()>();
            let work = |passwords: Arc<Passwords>, gate: Option<mpsc::Receiver<()>>| async move {
                passwords.run(move || gate.map(|gate| gate.recv())).await.map(drop)
            };
            let first = spawn(work(passwords.clone(), Some(gate)));
            let second = spawn(work(passwords.clone(), None));
            while passwords.places.available_permits() > 0 {
                yield_now().await;
            }
            let refused = work(passwords.clone(), None).await.unwrap_err();
            assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
            // Its client goes away, and its thread works on.
            first.abort();
            assert!(first.await.is_err_and(|error| error.is_cancelled()));
            assert_eq!(passwords.turns.available_permits(), 0);
            go.send(()).unwrap();
            second.await.unwrap().unwrap();
            assert_eq!(passwords.places.available_permits(), 2);
        });
    }
}
