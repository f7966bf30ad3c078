//! How callers are known: the part of the configuration.

use std::{path::PathBuf, time::Duration};

/// How callers are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// Whether they are asked at all.
    pub mode: AuthMode,
    /// How access tokens are signed. What a token says about itself is never believed.
    pub algorithm: Algorithm,
    /// Files with private keys (PKCS #8, PEM): the first signs, all verify. [`Algorithm::Hs256`] takes none: its key is made once,
    /// and kept with the data.
    pub keys: Vec<PathBuf>,
    /// Who signs: `iss`.
    pub issuer: String,
    /// For whom: `aud`.
    pub audience: String,
    /// How long an access token is good.
    pub access_ttl: Duration,
    /// How long a refresh token is good.
    pub refresh_ttl: Duration,
}

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMode {
    /// Everybody who reaches the socket, as an admin. Only loopback addresses are served.
    None,
    /// Who presents a token, as far as its role goes.
    Jwt,
}

/// How access tokens are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256: who can verify can sign.
    Hs256,
    /// RSA with SHA-256.
    Rs256,
    /// Ed25519.
    EdDsa,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            mode: AuthMode::None,
            algorithm: Algorithm::Hs256,
            keys: Vec::new(),
            issuer: "stockade".to_owned(),
            audience: "stockade".to_owned(),
            access_ttl: Duration::from_secs(900),
            refresh_ttl: Duration::from_secs(30 * 24 * 3_600),
        }
    }
}
