//! The keys that access tokens are signed with.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use jsonwebtoken::{
    DecodingKey, EncodingKey, Header, Validation, decode, encode,
    jwk::{Jwk, PublicKeyUse, ThumbprintHash},
};
use stockade_actors::{Engine, OpenError};
use thiserror::Error;

use crate::auth::{Algorithm, Auth};

/// Under which name the data directory keeps the key of [`Algorithm::Hs256`].
const SECRET: &str = "token-key";

/// The keys that the configuration names, read and checked.
#[derive(Clone)]
pub(crate) struct Keys(Vec<Key>);

#[derive(Clone)]
pub(super) struct Key {
    /// Nothing for a key that is kept with the data: there is only one then.
    pub(super) id: Option<String>,
    pub(super) signs: EncodingKey,
    pub(super) verifies: DecodingKey,
    /// What others need to verify. A shared secret is not shown.
    pub(super) public: Option<Jwk>,
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
        source: io::Error,
    },
    /// The file is the server's own, and others may use it.
    #[error("{}: others may use this private key (mode {mode:03o}): chmod 600", path.display())]
    Exposed {
        /// Which.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
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

    pub(super) fn of_tokens(self) -> jsonwebtoken::Algorithm {
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

    /// The keys to use: those that were read, or the one that is kept with the engine's data. Blocks on the disk.
    pub(super) fn open(self, auth: &Auth, engine: &Engine) -> Result<Vec<Key>, KeyError> {
        if auth.algorithm != Algorithm::Hs256 {
            return Ok(self.0);
        }
        let key = Key::from_secret(&engine.secret(SECRET, new_secret)?);
        Ok(vec![key.map_err(|error| KeyError::Broken(error.to_string()))?])
    }
}

impl Key {
    fn read(path: &Path, algorithm: Algorithm) -> Result<Self, KeyError> {
        let unreadable = |source| KeyError::Unreadable { path: path.into(), source };
        let mut file = File::open(path).map_err(unreadable)?;
        let found = file.metadata().map_err(unreadable)?;
        let mode = found.mode() & 0o777;
        // As sshd does: what belongs to somebody else, such as a secret that is mounted for a group, is his business.
        if mode & 0o077 != 0 && found.uid() == rustix::process::getuid().as_raw() {
            return Err(KeyError::Exposed { path: path.into(), mode });
        }
        let mut pem = Vec::new();
        file.read_to_end(&mut pem).map_err(unreadable)?;
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

fn new_secret() -> Vec<u8> {
    let mut secret = vec![0; 32];
    aws_lc_rs::rand::fill(&mut secret).expect("the system gives random numbers");
    secret
}
