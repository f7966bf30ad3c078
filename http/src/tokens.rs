//! Access tokens: signed JSON (RFC 7519), made and read by the configured algorithm alone.

mod keys;

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use actix_web::{HttpRequest, HttpResponse};
use jsonwebtoken::{Header, Validation, decode, decode_header, encode, jwk::JwkSet};
use serde::{Deserialize, Serialize};
use stockade_actors::Engine;
use stockade_domain::{
    CustomerId, SessionId, Timestamp,
    account::{AccountId, LoginVersion, Role, Session},
};

use crate::{
    answer::{self, Cached},
    auth::Auth,
    caller::Caller,
    gate,
    openapi::{answers::One, kinds},
    problem::{Code, Problem},
    query::Params,
    state::Shared,
};
use keys::Key;
pub use keys::KeyError;
pub(crate) use keys::Keys;

/// How far the clocks of two servers may be apart, in seconds.
const LEEWAY_SECONDS: u64 = 5;

/// The longest token that is looked at, in bytes. Ours have some hundred.
const TOKEN_BYTES_MAX: usize = 4_096;

/// The most tokens that are known to be ours without verifying them again, about 4 MiB.
const KNOWN_MAX: usize = 8_192;

/// Locks of what is known, so that workers seldom meet at one.
const SHARDS: usize = 16;

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    /// `customer:5` or `account:1`.
    sub: String,
    role: String,
    /// The session, if it came from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<u64>,
    /// What of the session, or else of the login, is never given out again.
    bond: String,
    iat: u64,
    /// From when on it is good. Ours are at once, and do not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<u64>,
    exp: u64,
}

/// By what somebody is let in: his token is good as long as this is what the accounts say.
///
/// Ids alone do not do. Those that a crash forgot (`data.durability` other than `sync`), and those given out after a backup was made,
/// are somebody else's later.
///
/// ```
/// use stockade_domain::{Timestamp, account::LoginVersion};
/// use stockade_http::Proof;
///
/// let first = LoginVersion { version: 1, since: Timestamp(1_700_000_000_000) };
/// assert_ne!(Proof::from(first), Proof::from(LoginVersion { version: 2, ..first }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A session: which, and the beginning of the hash that its refresh tokens have in common.
    Session(SessionId, u64),
    /// The account itself, as it signs in.
    Login(LoginVersion),
}

impl From<Session> for Proof {
    fn from(session: Session) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = session.family.0;
        Self::Session(session.id, u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }
}

impl From<LoginVersion> for Proof {
    fn from(login: LoginVersion) -> Self {
        Self::Login(login)
    }
}

impl Proof {
    /// What of it is never given out again, as a token says it.
    fn bond(self) -> String {
        match self {
            Self::Session(_, family) => format!("{family:016x}"),
            Self::Login(LoginVersion { version, since }) => format!("{version}.{}", since.0),
        }
    }

    fn read(session: Option<u64>, bond: &str) -> Option<Self> {
        match session {
            Some(id) => Some(Self::Session(SessionId(id), u64::from_str_radix(bond, 16).ok()?)),
            None => {
                let (version, since) = bond.split_once('.')?;
                let (version, since) = (version.parse().ok()?, Timestamp(since.parse().ok()?));
                Some(Self::Login(LoginVersion { version, since }))
            }
        }
    }
}

/// Makes access tokens and reads them.
///
/// ```
/// use std::time::Duration;
/// use stockade_actors::Engine;
/// use stockade_domain::account::{Personal, Role};
/// use stockade_http::{Auth, Tokens};
///
/// let engine = Engine::in_memory()?;
/// let tokens = Tokens::open(&Auth::default(), &engine)?;
/// let hour = Duration::from_secs(3_600);
/// let personal = Personal { name: Some("Kim".into()), ..Personal::default() };
/// let kim = futures_executor::block_on(engine.register(Role::Staff, personal))?;
/// let login = engine.login_version(kim.id).expect("Kim is there");
/// let token = tokens.issue(kim.id, kim.role, login.into(), engine.now(), hour);
/// assert_eq!(token.split('.').count(), 3);
/// # engine.shutdown()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Tokens {
    algorithm: jsonwebtoken::Algorithm,
    keys: Vec<Key>,
    issuer: String,
    audience: String,
    validation: Validation,
    known: Known,
}

impl Tokens {
    /// With the keys that the configuration names, or the one that is kept with the engine's data. Blocks on the disk.
    ///
    /// # Errors
    /// A key cannot be read, made or used.
    pub fn open(auth: &Auth, engine: &Engine) -> Result<Self, KeyError> {
        Self::with(auth, Keys::read(auth)?, engine)
    }

    /// The same, with the files read already.
    pub(crate) fn with(auth: &Auth, keys: Keys, engine: &Engine) -> Result<Self, KeyError> {
        let keys = keys.open(auth, engine)?;
        let algorithm = auth.algorithm.of_tokens();
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[&auth.issuer]);
        validation.set_audience(&[&auth.audience]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        // The engine's clock says what time it is, not the machine's.
        validation.validate_exp = false;
        let (issuer, audience) = (auth.issuer.clone(), auth.audience.clone());
        Ok(Self { algorithm, keys, issuer, audience, validation, known: Known::new() })
    }

    /// A new token for an account, good from `now` for `ttl`, and no longer than what let it in. Without a session a change of the
    /// password or the role ends it.
    #[must_use]
    pub fn issue(
        &self,
        account: AccountId,
        role: Role,
        proof: Proof,
        now: Timestamp,
        ttl: Duration,
    ) -> String {
        let session = match proof {
            Proof::Session(id, _) => Some(id.0),
            Proof::Login(_) => None,
        };
        let iat = now.0 / 1_000;
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: format!("{}:{}", account.kind(), account.number()),
            role: role.name().to_owned(),
            sid: session,
            bond: proof.bond(),
            iat,
            nbf: None,
            exp: iat.saturating_add(ttl.as_secs()),
        };
        let key = &self.keys[0];
        let header = Header { kid: key.id.clone(), ..Header::new(self.algorithm) };
        encode(&header, &claims, &key.signs).expect("the key was tried out at the start")
    }

    /// Whose token it is. Whether he still is who he was then is not looked at here.
    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Result<Caller, Problem> {
        let seconds = now.0 / 1_000;
        let (caller, exp) = match self.known.get(token) {
            Some(known) => known,
            None => {
                let read = Some(token).filter(|token| token.len() <= TOKEN_BYTES_MAX);
                let claims = read.and_then(|token| self.read(token)).ok_or_else(no_good)?;
                if claims.nbf.is_some_and(|from| from > seconds.saturating_add(LEEWAY_SECONDS)) {
                    return Err(no_good());
                }
                let known = (claims.caller().ok_or_else(no_good)?, claims.exp);
                self.known.put(token, known);
                known
            }
        };
        match seconds < exp.saturating_add(LEEWAY_SECONDS) {
            true => Ok(caller),
            false => Err(gate::bad(Code::TokenExpired, "the token has expired")),
        }
    }

    fn read(&self, token: &str) -> Option<Claims> {
        // Whoever signed it may have made it depend on something that must be understood (RFC 7515); nothing of the kind is here.
        let header = decode_header(token).ok().filter(|header| header.crit.is_none())?;
        // The key says how it is used, and the token only which key: of our own, by our own algorithm.
        let key = self.keys.iter().find(|key| key.id == header.kid)?;
        decode(token, &key.verifies, &self.validation).ok().map(|data| data.claims)
    }
}

impl Claims {
    fn caller(&self) -> Option<Caller> {
        let (kind, number) = self.sub.split_once(':')?;
        let number = number.parse().ok()?;
        let id = match kind {
            "customer" => AccountId::Customer(CustomerId(number)),
            "account" => AccountId::Account(number),
            _ => return None,
        };
        let role = [Role::Customer, Role::Staff, Role::Admin]
            .into_iter()
            .find(|role| role.name() == self.role)?;
        Some(Caller::Account { id, role, proof: Proof::read(self.sid, &self.bond)? })
    }
}

#[cold]
fn no_good() -> Problem {
    gate::bad(Code::Unauthenticated, "the token is no good")
}

/// Tokens that were verified: the same one comes again and again, and what it says stays true as long as the keys do.
struct Known {
    hasher: RandomState,
    shards: Vec<Mutex<HashMap<Box<str>, Verified>>>,
}

/// Whose token it is, and when it ends.
type Verified = (Caller, u64);

impl Known {
    fn new() -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { hasher: RandomState::new(), shards }
    }

    fn get(&self, token: &str) -> Option<Verified> {
        self.with(token, |known| known.get(token).copied())
    }

    /// What is full is emptied: it fills again with what is in use.
    fn put(&self, token: &str, verified: Verified) {
        self.with(token, |known| {
            if known.len() >= KNOWN_MAX / SHARDS {
                known.clear();
            }
            known.insert(token.into(), verified);
        });
    }

    fn with<T>(&self, token: &str, work: impl FnOnce(&mut HashMap<Box<str>, Verified>) -> T) -> T {
        let at = self.hasher.hash_one(token) as usize % SHARDS;
        // A panic while it was held left a map behind that is whole.
        work(&mut self.shards[at].lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// `GET /.well-known/jwks.json`: what others need to verify tokens. At the root only.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "sign-in", summary = "The public keys that verify access tokens",
    responses(One<kinds::KeySet>),
)]
pub(crate) async fn jwks(req: HttpRequest, state: Shared) -> Result<HttpResponse, Problem> {
    Params::of(&req).finish()?;
    let keys = state.tokens.keys.iter().filter_map(|key| key.public.clone()).collect();
    Ok(answer::seen(&req, 1, Cached::Checked, &JwkSet { keys }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_has_a_bound() {
        let known = Known::new();
        let verified = (Caller::Local, 7);
        for n in 0..2 * KNOWN_MAX {
            let token = n.to_string();
            known.put(&token, verified);
            assert_eq!(known.get(&token), Some(verified));
        }
        let all: usize = known.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert!((1..=KNOWN_MAX).contains(&all), "{all}");
        assert_eq!(known.get("another"), None);
    }

    #[test]
    fn known_or_not_a_token_means_the_same() {
        let engine = Engine::in_memory().unwrap();
        let tokens = Tokens::open(&Auth::default(), &engine).unwrap();
        let (id, now) = (AccountId::Customer(CustomerId(5)), Timestamp(1_700_000_000_000));
        let login = LoginVersion { version: 7, since: now };
        let issue = |proof| tokens.issue(id, Role::Customer, proof, now, Duration::from_secs(60));
        for proof in [Proof::Session(SessionId(3), 0x00ab_0000_0000_0001), Proof::Login(login)] {
            let token = issue(proof);
            let caller = Caller::Account { id, role: Role::Customer, proof };
            for _ in 0..2 {
                assert_eq!(tokens.verify(&token, now).unwrap(), caller);
                let late = tokens.verify(&token, now.plus_ms(65_000)).unwrap_err().to_string();
                assert!(late.starts_with("token_expired"), "{late}");
            }
        }
        let token = issue(Proof::Login(login));
        // A start of its own has a key of its own.
        let other = Tokens::open(&Auth::default(), &engine).unwrap();
        assert!(other.verify(&token, now).is_err());
        engine.shutdown().unwrap();
    }
}
