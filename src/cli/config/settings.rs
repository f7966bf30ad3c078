use std::{fmt, path::PathBuf, time::Duration};

#[cfg(feature = "http")]
use stockade::http::HttpConfig;
use stockade::{Config, Durability};
use tracing_subscriber::EnvFilter;

/// A value as it was written: in TOML, or as text in the environment and in flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Number(i64),
    Flag(bool),
    List(Vec<String>),
    /// Something that no setting takes.
    Other(&'static str),
}

/// The effective configuration.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Settings {
    #[cfg(feature = "http")]
    pub(in crate::cli) http: HttpConfig,
    pub(in crate::cli) data_dir: PathBuf,
    pub(in crate::cli) in_memory: bool,
    pub(in crate::cli) durability: Durability,
    pub(in crate::cli) checkpoint_seconds: u64,
    pub(in crate::cli) lanes: usize,
    pub(in crate::cli) work_max: usize,
    pub(in crate::cli) idempotency_keys_max: usize,
    /// Of the account `admin` that the first start makes.
    #[cfg(feature = "http")]
    pub(in crate::cli) admin_password: Option<String>,
    pub(in crate::cli) log_format: LogFormat,
    pub(in crate::cli) log_level: String,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum LogFormat {
    /// Text on a terminal, else JSON.
    Auto,
    Text,
    Json,
}

/// One setting: everything there is to know about it.
pub(super) struct Setting {
    /// `section.key`.
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// Sets it, or says what would be right.
    pub(super) set: fn(&mut Settings, &Value) -> Result<(), String>,
    /// Its value as TOML; nothing when it is chosen by the program.
    pub(super) get: fn(&Settings) -> Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        let engine = Config::in_memory();
        Self {
            #[cfg(feature = "http")]
            http: super::http::defaults(),
            data_dir: "./stockade-data".into(),
            in_memory: false,
            durability: engine.durability,
            checkpoint_seconds: engine.checkpoint_every.as_secs(),
            lanes: engine.lanes,
            work_max: engine.work_max,
            idempotency_keys_max: engine.idempotency_keys_max,
            #[cfg(feature = "http")]
            admin_password: None,
            log_format: LogFormat::Auto,
            // The server's own start and stop are said on standard output.
            log_level: "info,actix_server=warn".into(),
        }
    }
}

#[cfg(feature = "http")]
impl Settings {
    /// How the engine is to be opened.
    pub(in crate::cli) fn engine(&self) -> Config {
        Config {
            data_dir: (!self.in_memory).then(|| self.data_dir.clone()),
            durability: self.durability,
            lanes: self.lanes,
            work_max: self.work_max,
            idempotency_keys_max: self.idempotency_keys_max,
            checkpoint_every: Duration::from_secs(self.checkpoint_seconds),
            ..Config::in_memory()
        }
    }
}

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "data.dir",
        about: "where the data is",
        set: |settings, value| assign(&mut settings.data_dir, path(value)),
        get: |settings| Some(quoted(settings.data_dir.display())),
    },
    Setting {
        name: "data.in_memory",
        about: "keep no data: everything ends with the process",
        set: |settings, value| assign(&mut settings.in_memory, flag(value)),
        get: |settings| Some(settings.in_memory.to_string()),
    },
    Setting {
        name: "data.durability",
        about: "when a commit counts: \"sync\", \"interval:MS\" or \"none\"",
        set: |settings, value| assign(&mut settings.durability, durability(value)),
        get: |settings| {
            Some(match settings.durability {
                Durability::Sync => quoted("sync"),
                Durability::Interval(every) => quoted(format!("interval:{}", every.as_millis())),
                Durability::None => quoted("none"),
            })
        },
    },
    Setting {
        name: "data.checkpoint_seconds",
        about: "the least time between two checkpoints, which make the next start quick",
        set: |settings, value| assign(&mut settings.checkpoint_seconds, number(value, 1, 3_600)),
        get: |settings| Some(settings.checkpoint_seconds.to_string()),
    },
    Setting {
        name: "engine.lanes",
        about: "threads that run the actors",
        set: |settings, value| assign(&mut settings.lanes, number(value, 1, 256)),
        get: |settings| Some(settings.lanes.to_string()),
    },
    Setting {
        name: "engine.work_max",
        about: "the most work under way, in orders and lines; more is refused",
        set: |settings, value| assign(&mut settings.work_max, number(value, 4_096, 16_777_216)),
        get: |settings| Some(settings.work_max.to_string()),
    },
    Setting {
        name: "engine.idempotency_keys_max",
        about: "the most idempotency keys that are remembered, each for a day; about 25 bytes of memory for each",
        set: |settings, value| {
            assign(&mut settings.idempotency_keys_max, number(value, 1, 1_000_000_000))
        },
        get: |settings| Some(settings.idempotency_keys_max.to_string()),
    },
    Setting {
        name: "log.format",
        about: "how log lines look: \"text\", \"json\", or \"auto\" for text on a terminal",
        set: |settings, value| assign(&mut settings.log_format, one_of(value, &FORMATS)),
        get: |settings| {
            let name = FORMATS.iter().find(|(_, format)| *format == settings.log_format);
            name.map(|(name, _)| quoted(name))
        },
    },
    Setting {
        name: "log.level",
        about: "what is logged: error, warn, info, debug, trace or off, also by module: info,stockade_http=debug",
        set: |settings, value| assign(&mut settings.log_level, level(value)),
        get: |settings| Some(quoted(&settings.log_level)),
    },
];

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

const FORMATS: [(&str, LogFormat); 3] =
    [("auto", LogFormat::Auto), ("text", LogFormat::Text), ("json", LogFormat::Json)];

pub(super) fn assign<T>(place: &mut T, value: Result<T, String>) -> Result<(), String> {
    *place = value?;
    Ok(())
}

pub(super) fn number<T: TryFrom<i64>>(value: &Value, min: i64, max: i64) -> Result<T, String> {
    let number = match value {
        Value::Number(number) => Some(*number),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    };
    number
        .filter(|number| (min..=max).contains(number))
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| format!("must be a whole number from {min} to {max}"))
}

fn path(value: &Value) -> Result<PathBuf, String> {
    match value {
        Value::Text(text) if !text.is_empty() => Ok(text.into()),
        _ => Err("must be a path".into()),
    }
}

fn flag(value: &Value) -> Result<bool, String> {
    match value {
        Value::Flag(flag) => Ok(*flag),
        Value::Text(text) => text.parse().map_err(|_| "must be true or false".into()),
        _ => Err("must be true or false".into()),
    }
}

fn durability(value: &Value) -> Result<Durability, String> {
    let wanted = || "must be sync, none, or interval:MS with 1 to 60000 milliseconds".to_owned();
    let Value::Text(text) = value else { return Err(wanted()) };
    match (text.as_str(), text.strip_prefix("interval:")) {
        ("sync", _) => Ok(Durability::Sync),
        ("none", _) => Ok(Durability::None),
        (_, Some(ms)) => {
            let ms = ms.parse().ok().filter(|ms| (1..=60_000).contains(ms)).ok_or_else(wanted)?;
            Ok(Durability::Interval(Duration::from_millis(ms)))
        }
        _ => Err(wanted()),
    }
}

pub(super) fn one_of<T: Copy>(value: &Value, choices: &[(&str, T)]) -> Result<T, String> {
    let found = match value {
        Value::Text(text) => choices.iter().find(|(name, _)| name == text),
        _ => None,
    };
    found.map(|(_, choice)| *choice).ok_or_else(|| {
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        format!("must be one of {}", names.join(", "))
    })
}

fn level(value: &Value) -> Result<String, String> {
    // To the filter any word alone is a module, of which everything is logged, and of all others nothing.
    let is_level = |part: &str| {
        part.contains('=') || LEVELS.iter().any(|level| part.eq_ignore_ascii_case(level))
    };
    match value {
        Value::Text(text) if text.split(',').all(is_level) && EnvFilter::try_new(text).is_ok() => {
            Ok(text.clone())
        }
        _ => {
            let levels = LEVELS.join(", ");
            Err(format!("must be one of {levels}, also by module: info,stockade_http=debug"))
        }
    }
}

/// As a TOML string.
pub(super) fn quoted(text: impl fmt::Display) -> String {
    toml::Value::String(text.to_string()).to_string()
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::List(list) => write!(f, "{list:?}"),
            Self::Other(what) => f.write_str(what),
        }
    }
}
