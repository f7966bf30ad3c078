//! The settings of who may call: `[auth]`.

use std::{path::Path, time::Duration};

use stockade::{
    domain::limits::SESSION_TTL_MS_MAX,
    http::{Algorithm, Auth, AuthMode, check_password},
};

use super::{
    http::{shown, texts},
    settings::{Setting, Settings, Value, assign, number, one_of, quoted},
};

/// The longest that an access token is good: it ends with its session anyway, but not every server that reads it knows sessions.
const ACCESS_SECONDS_MAX: i64 = 86_400;

const MODES: [(&str, AuthMode); 2] = [("jwt", AuthMode::Jwt), ("none", AuthMode::None)];

const ALGORITHMS: [(&str, Algorithm); 3] =
    [("HS256", Algorithm::Hs256), ("RS256", Algorithm::Rs256), ("EdDSA", Algorithm::EdDsa)];

/// Who serves others asks them who they are.
pub(super) fn defaults() -> Auth {
    Auth { mode: AuthMode::Jwt, ..Auth::default() }
}

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "auth.mode",
        about: "who may call: \"jwt\", who presents a token or an API key; \"none\", everybody on this machine",
        set: |settings, value| assign(&mut settings.http.auth.mode, one_of(value, &MODES)),
        get: |settings| name_of(settings.http.auth.mode, &MODES),
    },
    Setting {
        name: "auth.algorithm",
        about: "how access tokens are signed: \"HS256\" by a key of the data directory, \"RS256\" or \"EdDSA\" by auth.keys",
        set: |settings, value| {
            assign(&mut settings.http.auth.algorithm, one_of(value, &ALGORITHMS))
        },
        get: |settings| name_of(settings.http.auth.algorithm, &ALGORITHMS),
    },
    Setting {
        name: "auth.keys",
        about: "files with private keys (PKCS #8, PEM) that nobody else may read: the first signs, all verify; relative to this file",
        set: |settings, value| {
            let files = texts(value).ok_or_else(|| "must be files".to_owned());
            let files = files.map(|files| files.into_iter().map(Into::into).collect());
            assign(&mut settings.http.auth.keys, files)
        },
        get: |settings| {
            let files: Vec<_> = settings.http.auth.keys.iter().map(|path| path.display()).collect();
            Some(shown(&files))
        },
    },
    Setting {
        name: "auth.issuer",
        about: "who signs access tokens: iss",
        set: |settings, value| assign(&mut settings.http.auth.issuer, word(value)),
        get: |settings| Some(quoted(&settings.http.auth.issuer)),
    },
    Setting {
        name: "auth.audience",
        about: "for whom access tokens are: aud",
        set: |settings, value| assign(&mut settings.http.auth.audience, word(value)),
        get: |settings| Some(quoted(&settings.http.auth.audience)),
    },
    Setting {
        name: "auth.access_ttl_seconds",
        about: "how long an access token is good",
        set: |settings, value| {
            let seconds = number(value, 1, ACCESS_SECONDS_MAX).map(Duration::from_secs);
            assign(&mut settings.http.auth.access_ttl, seconds)
        },
        get: |settings| Some(settings.http.auth.access_ttl.as_secs().to_string()),
    },
    Setting {
        name: "auth.refresh_ttl_seconds",
        about: "how long a refresh token is good",
        set: |settings, value| {
            let max = SESSION_TTL_MS_MAX as i64 / 1_000;
            let seconds = number(value, 1, max).map(Duration::from_secs);
            assign(&mut settings.http.auth.refresh_ttl, seconds)
        },
        get: |settings| Some(settings.http.auth.refresh_ttl.as_secs().to_string()),
    },
    Setting {
        name: "auth.admin_password",
        about: "the password of the account admin that the first start makes, ignored later; best set in the environment",
        set: |settings, value| {
            let Value::Text(password) = value else { return Err("must be text".into()) };
            check_password(password).map_err(|error| error.to_string())?;
            assign(&mut settings.admin_password, Ok(Some(password.clone())))
        },
        // It is nobody's business.
        get: |_| None,
    },
];

/// Files that a configuration file names are named from where it lies, wherever the server is started; those of the environment
/// from where it is started.
pub(super) fn find_keys_beside(settings: &mut Settings, file: &Path) {
    let folder = file.parent().unwrap_or(Path::new(""));
    for key in &mut settings.http.auth.keys {
        *key = folder.join(&*key);
    }
}

fn name_of<T: Copy + PartialEq>(value: T, names: &[(&str, T)]) -> Option<String> {
    names.iter().find(|(_, named)| *named == value).map(|(name, _)| quoted(name))
}

fn word(value: &Value) -> Result<String, String> {
    match value {
        Value::Text(text) if !text.is_empty() => Ok(text.clone()),
        _ => Err("must be text".into()),
    }
}
