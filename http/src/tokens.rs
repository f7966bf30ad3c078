//! Access tokens: signed JSON (RFC 7519), made and read by the configured algorithm alone.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use actix_web::{HttpRequest, HttpResponse};
use jsonwebtoken::{
    DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
    jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash},
};
use serde::{Deserialize, Serialize};
use stockade_actors::{Engine, OpenError};
use stockade_domain::{
    CustomerId, SessionId, Timestamp,
    account::{Account, AccountId, Role},
};
use thiserror::Error;

use crate::{
    answer::{self, Cached},
    auth::{Algorithm, Auth},
    caller::Caller,
    gate,
    problem::{Code, Problem},
    query::Params,
    state::Shared,
};

/// Under which name the data directory keeps the key of [`Algorithm::Hs256`].
const SECRET: &str = "token-key";

/// How far the clocks of two servers may be apart, in seconds.
const LEEWAY_SECONDS: u64 = 5;

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
    iat: u64,
    exp: u64,
}

/// The keys that the configuration names, read and checked.
#[derive(Clone)]
pub(crate) struct Keys(Vec<Key>);

#[derive(Clone)]
struct Key {
    /// Nothing for a key that is kept with the data: there is only one then.
    id: Option<String>,
    signs: EncodingKey,
    verifies: DecodingKey,
    /// What others need to verify. A shared secret is not shown.
    public: Option<Jwk>,
}

/// A key for tokens cannot be used.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The file has no private key for the algorithm.
    #[error("{}: must be a private key for {algorithm}, as PKCS #8 in PEM: {reason}", path.display())]
    Unfit {
        /// Which.
        path: PathBuf,
        /// For what.
        algorithm: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The algorithm needs a file with a key.
    #[error(
        "{0} needs auth.keys: files with private keys, of which the first signs and all verify"
    )]
    NoFile(&'static str),
    /// The algorithm keeps its key with the data.
    #[error("HS256 takes no auth.keys: its key is made once, and kept with the data")]
    Needless,
    /// The key that is kept with the data cannot be read or written.
    #[error(transparent)]
    Kept(#[from] OpenError),
    /// Nothing can be signed by the key that is kept with the data.
    #[error("the key of the data directory cannot be used: {0}")]
    Broken(String),
}

impl Algorithm {
    fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::EdDsa => "EdDSA",
        }
    }

    fn of_tokens(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

impl Keys {
    /// Reads the files. There is none yet for the key that is kept with the data.
    pub(crate) fn read(auth: &Auth) -> Result<Self, KeyError> {
        match (auth.algorithm, auth.keys.is_empty()) {
            (Algorithm::Hs256, true) => Ok(Self(Vec::new())),
            (Algorithm::Hs256, false) => Err(KeyError::Needless),
            (algorithm, true) => Err(KeyError::NoFile(algorithm.name())),
            (algorithm, false) => {
                let keys = auth.keys.iter().map(|path| Key::read(path, algorithm));
                keys.collect::<Result<_, _>>().map(Self)
            }
        }
    }
}

impl Key {
    fn read(path: &Path, algorithm: Algorithm) -> Result<Self, KeyError> {
        let unreadable = |source| KeyError::Unreadable { path: path.into(), source };
        let pem = fs::read(path).map_err(unreadable)?;
        Self::from_pem(&pem, algorithm).map_err(|error| KeyError::Unfit {
            path: path.into(),
            algorithm: algorithm.name(),
            reason: error.to_string(),
        })
    }

    fn from_pem(pem: &[u8], algorithm: Algorithm) -> jsonwebtoken::errors::Result<Self> {
        let signs = match algorithm {
            Algorithm::Rs256 => EncodingKey::from_rsa_pem(pem)?,
            Algorithm::Hs256 | Algorithm::EdDsa => EncodingKey::from_ed_pem(pem)?,
        };
        let mut public = Jwk::from_encoding_key(&signs, algorithm.of_tokens())?;
        let id = public.thumbprint(ThumbprintHash::SHA256)?;
        public.common.key_id = Some(id.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        let verifies = DecodingKey::from_jwk(&public)?;
        let key = Self { id: Some(id), signs, verifies, public: Some(public) };
        key.try_out(algorithm)?;
        Ok(key)
    }

    fn from_secret(secret: &[u8]) -> jsonwebtoken::errors::Result<Self> {
        let (signs, verifies) =
            (EncodingKey::from_secret(secret), DecodingKey::from_secret(secret));
        let key = Self { id: None, signs, verifies, public: None };
        key.try_out(Algorithm::Hs256)?;
        Ok(key)
    }

    /// Signs and verifies once: what does not work is known at the start, and not at the first request.
    fn try_out(&self, algorithm: Algorithm) -> jsonwebtoken::errors::Result<()> {
        let algorithm = algorithm.of_tokens();
        let claims = serde_json::json!({ "exp": u64::MAX });
        let token = encode(&Header::new(algorithm), &claims, &self.signs)?;
        let read = decode::<serde_json::Value>(token, &self.verifies, &Validation::new(algorithm));
        read.map(drop)
    }
}

/// Makes access tokens and reads them.
pub(crate) struct Tokens {
    algorithm: jsonwebtoken::Algorithm,
    keys: Vec<Key>,
    issuer: String,
    audience: String,
    validation: Validation,
}

impl Tokens {
    /// With the keys that were read, or the one that is kept with the engine's data. Blocks on the disk.
    pub(crate) fn open(auth: &Auth, keys: Keys, engine: &Engine) -> Result<Self, KeyError> {
        let Keys(mut keys) = keys;
        if auth.algorithm == Algorithm::Hs256 {
            let secret = engine.secret(SECRET, new_secret)?;
            let key = Key::from_secret(&secret);
            keys = vec![key.map_err(|error| KeyError::Broken(error.to_string()))?];
        }
        let algorithm = auth.algorithm.of_tokens();
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[&auth.issuer]);
        validation.set_audience(&[&auth.audience]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        // The engine's clock says what time it is, not the machine's.
        validation.validate_exp = false;
        let (issuer, audience) = (auth.issuer.clone(), auth.audience.clone());
        Ok(Self { algorithm, keys, issuer, audience, validation })
    }

    /// A new token for an account.
    pub(crate) fn issue(
        &self,
        account: AccountId,
        role: Role,
        session: Option<SessionId>,
        now: Timestamp,
        ttl: Duration,
    ) -> String {
        let iat = now.0 / 1_000;
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: format!("{}:{}", account.kind(), account.number()),
            role: role.name().to_owned(),
            sid: session.map(|session| session.0),
            iat,
            exp: iat.saturating_add(ttl.as_secs()),
        };
        let key = &self.keys[0];
        let header = Header { kid: key.id.clone(), ..Header::new(self.algorithm) };
        encode(&header, &claims, &key.signs).expect("the key was tried out at the start")
    }

    /// Whose token it is. Whether he still is who he was then is not looked at here.
    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Result<Caller, Problem> {
        let claims = self.read(token).ok_or_else(no_good)?;
        let caller = claims.caller().ok_or_else(no_good)?;
        if now.0 / 1_000 >= claims.exp.saturating_add(LEEWAY_SECONDS) {
            return Err(gate::bad(Code::TokenExpired, "the token has expired"));
        }
        Ok(caller)
    }

    fn read(&self, token: &str) -> Option<Claims> {
        let header = decode_header(token).ok()?;
        // The key says how it is used, and the token only which key: of our own, by our own algorithm.
        let key = self.keys.iter().find(|key| key.id == header.kid)?;
        decode(token, &key.verifies, &self.validation).ok().map(|data| data.claims)
    }
}

/// An access token for an account that comes from no session, so that nothing ends it before its time. Blocks on the disk.
///
/// # Errors
/// There is no key to sign it with.
pub fn issue_token(
    engine: &Engine,
    auth: &Auth,
    account: &Account,
    ttl: Duration,
) -> Result<String, KeyError> {
    let tokens = Tokens::open(auth, Keys::read(auth)?, engine)?;
    Ok(tokens.issue(account.id, account.role, None, engine.now(), ttl))
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
        Some(Caller::Account { id, role, session: self.sid.map(SessionId) })
    }
}

#[cold]
fn no_good() -> Problem {
    gate::bad(Code::Unauthenticated, "the token is no good")
}

fn new_secret() -> Vec<u8> {
    let mut secret = vec![0; 32];
    aws_lc_rs::rand::fill(&mut secret).expect("the system gives random numbers");
    secret
}

/// `GET /.well-known/jwks.json`: what others need to verify tokens. At the root only.
pub(crate) async fn jwks(req: HttpRequest, state: Shared) -> Result<HttpResponse, Problem> {
    Params::of(&req).finish()?;
    let keys = state.tokens.keys.iter().filter_map(|key| key.public.clone()).collect();
    Ok(answer::seen(&req, 1, Cached::Checked, &JwkSet { keys }))
}
