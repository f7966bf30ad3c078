//! Keys, tokens of all sorts, and a server that asks for them.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::KeySize,
    signature::Ed25519KeyPair,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures_executor::block_on;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};
use stockade_domain::account::{Account, Personal, Role};
use stockade_http::{Algorithm, Auth, AuthMode, HttpConfig, Tokens};

use crate::server::{Answer, NOW_MS, Server};

/// A folder with key files.
pub(crate) struct Keys(tempfile::TempDir);

impl Keys {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A new Ed25519 key in a file.
    pub(crate) fn ed25519(&self, name: &str) -> PathBuf {
        let key = Ed25519KeyPair::generate().unwrap();
        let der: Pkcs8V1Der<'_> = key.as_der().unwrap();
        self.write(name, der.as_ref())
    }

    /// A new RSA key in a file.
    pub(crate) fn rsa(&self, name: &str) -> PathBuf {
        let key = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = key.as_der().unwrap();
        self.write(name, der.as_ref())
    }

    pub(crate) fn write(&self, name: &str, der: &[u8]) -> PathBuf {
        let base64 = BASE64_STANDARD.encode(der);
        let lines: Vec<_> =
            base64.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
        let path = self.0.path().join(name);
        let pem = ["-----BEGIN PRIVATE KEY-----", &lines.join("\n"), "-----END PRIVATE KEY-----"];
        fs::write(&path, pem.join("\n") + "\n").unwrap();
        self.share(&path, 0o600);
        path
    }

    /// Who may use a file.
    pub(crate) fn share(&self, path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
}

/// Tokens by keys in these files.
pub(crate) fn signed(algorithm: Algorithm, keys: &[&PathBuf]) -> Auth {
    let keys = keys.iter().map(|path| path.to_path_buf()).collect();
    Auth { mode: AuthMode::Jwt, algorithm, keys, ..Auth::default() }
}

/// A server that asks everybody who he is.
pub(crate) fn server(auth: &Auth) -> Server {
    Server::with(HttpConfig { auth: auth.clone(), test_clock: true, ..HttpConfig::default() })
}

/// An account of which no more than a name is known.
pub(crate) fn account(server: &Server, role: Role) -> std::sync::Arc<Account> {
    let personal = Personal { name: Some("Kim".into()), ..Personal::default() };
    block_on(server.engine.register(role, personal)).unwrap()
}

/// A token of an account for an hour.
pub(crate) fn token(server: &Server, auth: &Auth, account: &Account) -> String {
    token_for(server, auth, account, Duration::from_secs(3_600))
}

/// The same, for as long as that.
pub(crate) fn token_for(server: &Server, auth: &Auth, account: &Account, ttl: Duration) -> String {
    let tokens = Tokens::open(auth, &server.engine).unwrap();
    let login = server.engine.login_version(account.id).unwrap();
    tokens.issue(account.id, account.role, login.into(), server.engine.now(), ttl)
}

/// The claims of a token that would be good, of an account that was made at the start and is as it was made.
pub(crate) fn claims(subject: &str, role: &str) -> Value {
    let now = NOW_MS / 1_000;
    json!({
        "iss": "stockade", "aud": "stockade", "sub": subject, "role": role, "bond": format!("1.{NOW_MS}"),
        "iat": now, "exp": now + 3_600,
    })
}

/// A token made by hand.
pub(crate) fn made(
    algorithm: jsonwebtoken::Algorithm,
    kid: Option<&str>,
    claims: &Value,
    key: &EncodingKey,
) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
    encode(&header, claims, key).unwrap()
}

impl Server {
    /// A request with a bearer token.
    pub(crate) fn as_bearer(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<&str>,
    ) -> Answer {
        self.send(method, path, &[("authorization", &format!("Bearer {token}"))], body)
    }

    /// The key id that the server publishes first.
    pub(crate) fn first_kid(&self) -> String {
        let keys = self.get("/.well-known/jwks.json").is(200);
        keys["keys"][0]["kid"].as_str().unwrap().to_owned()
    }
}
