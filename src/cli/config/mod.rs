//! The configuration: one table of settings, filled from the file, the environment and the flags.
//!
//! Every setting is written down once, in [`settings::SETTINGS`], `http::SETTINGS` or `auth::SETTINGS`: its name, what it takes, its range. The file, the environment
//! and the flags are three ways to spell the same assignments; a later one wins, and each error says where it was spelled.

#[cfg(feature = "http")]
mod auth;
mod file;
#[cfg(feature = "http")]
mod http;
mod settings;

use std::{
    env,
    fmt::{self, Write},
    path::{Path, PathBuf},
};

#[cfg(feature = "http")]
pub(super) use settings::LogFormat;
pub(super) use settings::Settings;

use self::settings::{Setting, Value};
use super::Failure;

/// Read when no other file is named, if it is there.
const DEFAULT_FILE: &str = "stockade.toml";

/// Environment variables are this, the section, two underscores and the key, in capitals.
const ENV_PREFIX: &str = "STOCKADE_";

/// Those that are no settings, but secrets that commands read.
const ENV_OTHERS: [&str; 2] = ["STOCKADE_PASSWORD", "STOCKADE_TOKEN"];

/// Where a setting was given.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    File(PathBuf, usize),
    Environment(String),
    Flag(&'static str),
}

/// One setting as somebody gave it.
#[derive(Clone, Debug)]
struct Assignment {
    place: Place,
    /// `section.key`.
    name: String,
    value: Value,
}

/// A setting given on the command line: its flag, its name and its value as text.
pub(super) type Flag = (&'static str, &'static str, String);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Environment(variable) => write!(f, "environment variable {variable}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

impl Settings {
    /// The effective settings. Nothing is opened before all of them are right.
    pub(super) fn load(file: Option<&Path>, flags: &[Flag]) -> Result<Self, Failure> {
        let mut assignments = match file {
            Some(path) => file::read(path)?,
            None if Path::new(DEFAULT_FILE).exists() => file::read(Path::new(DEFAULT_FILE))?,
            None => Vec::new(),
        };
        let variables = env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        });
        assignments.extend(environment(variables)?);
        assignments.extend(flags.iter().map(|(flag, name, value)| Assignment {
            place: Place::Flag(flag),
            name: (*name).into(),
            value: Value::Text(value.clone()),
        }));
        let mut settings = Self::default();
        assignments.into_iter().try_for_each(|assignment| settings.assign(assignment))?;
        Ok(settings)
    }

    fn assign(&mut self, assignment: Assignment) -> Result<(), Failure> {
        let Assignment { place, name, value } = assignment;
        let Some(setting) = all().find(|setting| setting.name == name) else {
            return Err(Failure::usage(format!("{place}: unknown key {name}{}", meant(&name))));
        };
        (setting.set)(self, &value).map_err(|wanted| {
            // What is secret is not repeated.
            let given = match name.ends_with("password") {
                true => "hidden".to_owned(),
                false => value.to_string(),
            };
            Failure::usage(format!("{place}: {name} is {given}, {wanted}"))
        })?;
        #[cfg(feature = "http")]
        if let (Place::File(file, _), "auth.keys") = (&place, name.as_str()) {
            auth::find_keys_beside(self, file);
        }
        Ok(())
    }

    /// What `stockade config` prints: it can be read again.
    pub(super) fn to_toml(&self) -> String {
        let mut text = String::new();
        let mut section = "";
        for Setting { name, about, get, .. } in all() {
            let (its_section, key) = name.split_once('.').unwrap_or(("", name));
            if its_section != section {
                let gap = if section.is_empty() { "" } else { "\n" };
                let _ = writeln!(text, "{gap}[{its_section}]");
                section = its_section;
            }
            let _ = writeln!(text, "# {about}");
            let _ = match get(self) {
                Some(value) => writeln!(text, "{key} = {value}"),
                None => writeln!(text, "# {key} ="),
            };
        }
        text
    }
}

/// Every setting, in the order in which they are printed.
fn all() -> impl Iterator<Item = &'static Setting> {
    #[cfg(feature = "http")]
    let (http, auth) = (http::SETTINGS, auth::SETTINGS);
    // Without a server there is nothing to set up.
    #[cfg(not(feature = "http"))]
    let (http, auth): (&[Setting], &[Setting]) = (&[], &[]);
    http.iter().chain(auth).chain(settings::SETTINGS)
}

/// Assignments from the environment, by name, so that errors do not depend on its order. A variable that looks like one and is
/// none has been mistyped.
fn environment(
    variables: impl Iterator<Item = (String, String)>,
) -> Result<Vec<Assignment>, Failure> {
    let ours = |(variable, _): &(String, String)| {
        variable.starts_with(ENV_PREFIX) && !ENV_OTHERS.contains(&variable.as_str())
    };
    let mut found: Vec<_> = variables.filter(ours).collect();
    found.sort();
    let assignment = |(variable, value)| match all().find(|known| variable_of(known) == variable) {
        Some(setting) => Ok(Assignment {
            name: setting.name.into(),
            place: Place::Environment(variable),
            value: Value::Text(value),
        }),
        None => {
            let known = all().map(variable_of).chain(ENV_OTHERS.map(str::to_owned));
            let capitals = variable.to_ascii_uppercase();
            let nearest = known.min_by_key(|known| strsim::levenshtein(known, &capitals));
            let nearest = nearest.unwrap_or_default();
            let what = format!("unknown environment variable {variable}; did you mean {nearest}?");
            Err(Failure::usage(what))
        }
    };
    found.into_iter().map(assignment).collect()
}

/// How the environment spells a setting.
fn variable_of(setting: &Setting) -> String {
    format!("{ENV_PREFIX}{}", setting.name.replace('.', "__").to_ascii_uppercase())
}

/// What an unknown key was probably meant to be, or else what there is.
fn meant(name: &str) -> String {
    let (section, key) = name.split_once('.').unwrap_or(("", name));
    let elsewhere = all().find(|setting| setting.name.ends_with(&format!(".{key}")));
    if let Some(setting) = elsewhere {
        return format!("; did you mean {}?", setting.name);
    }
    let prefix = format!("{section}.");
    let mut keys: Vec<_> = all().map(|setting| setting.name).collect();
    if keys.iter().any(|key| key.starts_with(&prefix)) {
        keys.retain(|key| key.starts_with(&prefix));
    }
    format!("; there is {}", keys.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: &str) -> Result<Settings, Failure> {
        let mut settings = Settings::default();
        let value = Value::Text(value.into());
        settings.assign(Assignment { place: Place::Flag("--x"), name: name.into(), value })?;
        Ok(settings)
    }

    #[test]
    fn what_is_printed_is_read_back_as_the_same() {
        let text = Settings::default().to_toml();
        let mut settings = Settings::default();
        for assignment in file::parse(Path::new("printed"), &text).unwrap() {
            settings.assign(assignment).unwrap();
        }
        assert_eq!(settings.to_toml(), text);
    }

    #[test]
    fn lists_are_read_from_text_and_may_be_empty() {
        let origins = set("http.cors_origins", "https://a.example, http://localhost:3000");
        let text = origins.unwrap().to_toml();
        let wanted = "cors_origins = [\"https://a.example\", \"http://localhost:3000\"]";
        assert!(text.contains(wanted), "{text}");
        let none = set("http.trusted_proxies", "").unwrap().to_toml();
        assert!(none.contains("trusted_proxies = []"), "{none}");
        let keys = set("auth.keys", "a.pem, b.pem").unwrap().to_toml();
        assert!(keys.contains(r#"keys = ["a.pem", "b.pem"]"#), "{keys}");
        let proxies = set("http.trusted_proxies", "10.0.0.1,fd00::/8").unwrap().to_toml();
        assert!(proxies.contains(r#"["10.0.0.1", "fd00::/8"]"#), "{proxies}");
    }

    #[test]
    fn a_password_is_never_shown() {
        let settings = set("auth.admin_password", "a long password").unwrap();
        assert!(!settings.to_toml().contains("a long password"));
        let place = Place::File("f".into(), 1);
        let (name, value) = ("auth.admin_password".to_owned(), Value::Number(12_345_678));
        let wrong = Settings::default().assign(Assignment { place, name, value }).unwrap_err();
        assert_eq!(wrong.to_string(), "f:1: auth.admin_password is hidden, must be text");
        let short = set("auth.admin_password", "sh0rt").unwrap_err().to_string();
        assert_eq!(short, "flag --x: auth.admin_password is hidden, must be 8 to 128 characters");
    }

    #[test]
    fn a_level_is_of_everything_or_of_a_module() {
        for level in ["off", "Info", "warn,stockade_http=debug", "stockade_http::access=trace"] {
            assert_eq!(set("log.level", level).unwrap().log_level, level);
        }
    }

    #[test]
    fn an_environment_variable_names_section_and_key() {
        let names = |variables: &[&str]| -> Result<Vec<String>, Failure> {
            let variables = variables.iter().map(|name| ((*name).to_owned(), "x".to_owned()));
            Ok(environment(variables)?.into_iter().map(|found| found.name).collect())
        };
        let good = ["STOCKADE_HTTP__LISTEN", "STOCKADE_TOKEN", "STOCKADE_PASSWORD", "HOME"];
        assert_eq!(names(&good).unwrap(), ["http.listen"]);
        for (wrong, meant) in [
            ("STOCKADE_AUTH_MODE", "STOCKADE_AUTH__MODE"),
            ("STOCKADE_AUTH__MOD", "STOCKADE_AUTH__MODE"),
            ("STOCKADE_LOG_LEVEL", "STOCKADE_LOG__LEVEL"),
            ("STOCKADE_TOKE", "STOCKADE_TOKEN"),
            ("STOCKADE_http__listen", "STOCKADE_HTTP__LISTEN"),
        ] {
            let said = names(&[wrong]).unwrap_err().to_string();
            assert!(said.contains(wrong) && said.contains(&format!("mean {meant}?")), "{said}");
        }
    }

    #[test]
    fn a_value_out_of_range_says_what_would_be_right() {
        for (name, value) in [
            ("http.listen", "nowhere"),
            ("http.listen", ""),
            ("http.workers", "0"),
            ("http.connections_max", "0"),
            ("http.json_bytes_max", "1023"),
            ("http.json_bytes_max", "4194305"),
            ("http.bodies_bytes_max", "4194303"),
            ("http.head_timeout_seconds", "301"),
            ("http.body_timeout_seconds", "0"),
            ("http.keep_alive_seconds", "3601"),
            ("http.shutdown_timeout_seconds", "0"),
            ("http.cors_origins", "*"),
            ("http.cors_origins", "https://shop.example/"),
            ("http.trusted_proxies", "10.0.0.0/33"),
            ("http.user_requests_per_second_max", "0"),
            ("http.address_requests_per_second_max", "-1"),
            ("http.logins_per_minute_max", "1000001"),
            ("http.failed_logins_per_minute_max", "x"),
            ("data.durability", "sometimes"),
            ("data.durability", "interval:0"),
            ("data.checkpoint_seconds", "0"),
            ("engine.lanes", "257"),
            ("engine.work_max", "1"),
            ("auth.mode", "open"),
            ("auth.algorithm", "none"),
            ("auth.issuer", ""),
            ("auth.audience", ""),
            ("auth.access_ttl_seconds", "0"),
            ("auth.access_ttl_seconds", "86401"),
            ("auth.refresh_ttl_seconds", "7776001"),
            ("log.format", "xml"),
            ("log.level", "inof"),
            ("log.level", ""),
            ("log.level", "info,stockade_http"),
            ("log.level", "stockade_http=inof"),
            ("log.level", "info,"),
            ("data.in_memory", "perhaps"),
        ] {
            let error = set(name, value).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("flag --x: {name} is \"{value}\", must ")),
                "{error}"
            );
        }
        assert!(set("http.lisen", "x").unwrap_err().to_string().contains("http.listen"));
        assert!(
            set("htp.listen", "x").unwrap_err().to_string().contains("did you mean http.listen")
        );
    }
}
