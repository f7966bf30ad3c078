//! The settings of the REST surface: `[http]`.

use std::{fmt, str::FromStr, time::Duration};

use stockade::http::{HttpConfig, RateLimits};

use super::auth;
use super::settings::{Setting, Settings, Value, assign, number, quoted};

/// What one body can ask for at once must fit into one group of the journal, with room to spare.
const JSON_BYTES_MAX: i64 = 4 << 20;

/// How the server is set up before anything is configured. The limits count where people sign in.
pub(super) fn defaults() -> HttpConfig {
    HttpConfig {
        rate_limits: Some(RateLimits::default()),
        auth: auth::defaults(),
        ..HttpConfig::default()
    }
}

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "http.listen",
        about: "addresses to listen on",
        set: |settings, value| {
            let wanted = "must be addresses with a port, such as 127.0.0.1:8080";
            let addresses = list(value, wanted)?;
            if addresses.is_empty() {
                return Err(wanted.into());
            }
            assign(&mut settings.http.listen, Ok(addresses))
        },
        get: |settings| Some(shown(&settings.http.listen)),
    },
    Setting {
        name: "http.workers",
        about: "threads that parse and answer requests; by default as many as fit the cores",
        set: |settings, value| assign(&mut settings.http.workers, number(value, 1, 256)),
        get: |settings| {
            let workers = settings.http.workers;
            (workers != HttpConfig::default().workers).then(|| workers.to_string())
        },
    },
    Setting {
        name: "http.connections_max",
        about: "the most connections of one worker; more wait to be accepted",
        set: |settings, value| {
            assign(&mut settings.http.connections_max, number(value, 1, 1_000_000))
        },
        get: |settings| Some(settings.http.connections_max.to_string()),
    },
    Setting {
        name: "http.json_bytes_max",
        about: "the largest JSON body, in bytes",
        set: |settings, value| {
            assign(&mut settings.http.json_bytes_max, number(value, 1_024, JSON_BYTES_MAX))
        },
        get: |settings| Some(settings.http.json_bytes_max.to_string()),
    },
    Setting {
        name: "http.bodies_bytes_max",
        about: "the most bytes of bodies that are under way at once, of all clients together",
        set: |settings, value| {
            assign(&mut settings.http.bodies_bytes_max, number(value, JSON_BYTES_MAX, 64 << 30))
        },
        get: |settings| Some(settings.http.bodies_bytes_max.to_string()),
    },
    Setting {
        name: "http.head_timeout_seconds",
        about: "how long a client may take to send the head of a request",
        set: |settings, value| assign(&mut settings.http.head_timeout, seconds(value, 300)),
        get: |settings| Some(settings.http.head_timeout.as_secs().to_string()),
    },
    Setting {
        name: "http.body_timeout_seconds",
        about: "how long a client may take to send a body",
        set: |settings, value| assign(&mut settings.http.body_timeout, seconds(value, 3_600)),
        get: |settings| Some(settings.http.body_timeout.as_secs().to_string()),
    },
    Setting {
        name: "http.position_wait_ms",
        about: "how long a read waits for the position that it asks for, in milliseconds",
        set: |settings, value| {
            let wait = number(value, 1, 60_000).map(Duration::from_millis);
            assign(&mut settings.http.position_wait, wait)
        },
        get: |settings| Some(settings.http.position_wait.as_millis().to_string()),
    },
    Setting {
        name: "http.keep_alive_seconds",
        about: "how long a connection is kept that nothing is asked on",
        set: |settings, value| assign(&mut settings.http.keep_alive, seconds(value, 3_600)),
        get: |settings| Some(settings.http.keep_alive.as_secs().to_string()),
    },
    Setting {
        name: "http.shutdown_timeout_seconds",
        about: "how long requests under way may take after the server was told to stop",
        set: |settings, value| assign(&mut settings.http.shutdown_timeout, seconds(value, 3_600)),
        get: |settings| Some(settings.http.shutdown_timeout.as_secs().to_string()),
    },
    Setting {
        name: "http.cors_origins",
        about: "origins whose pages may read answers, such as \"https://shop.example\"",
        set: |settings, value| {
            let wanted = "must be origins as browsers send them, such as https://shop.example";
            assign(&mut settings.http.cors_origins, list(value, wanted))
        },
        get: |settings| Some(shown(&settings.http.cors_origins)),
    },
    Setting {
        name: "http.trusted_proxies",
        about: "proxies that say truly where a request comes from: addresses or networks such as \"10.0.0.0/8\"",
        set: |settings, value| {
            let wanted = "must be addresses or networks, such as 10.0.0.1 or 10.0.0.0/8";
            assign(&mut settings.http.trusted_proxies, list(value, wanted))
        },
        get: |settings| Some(shown(&settings.http.trusted_proxies)),
    },
    Setting {
        name: "http.user_requests_per_second_max",
        about: "requests a second of one signed-in user; the limits are off where nobody signs in",
        set: |settings, value| limit(settings, value, |limits| &mut limits.user_per_second),
        get: |settings| limited(settings, |limits| limits.user_per_second),
    },
    Setting {
        name: "http.address_requests_per_second_max",
        about: "requests a second from one address, of those who are not signed in",
        set: |settings, value| limit(settings, value, |limits| &mut limits.address_per_second),
        get: |settings| limited(settings, |limits| limits.address_per_second),
    },
    Setting {
        name: "http.logins_per_minute_max",
        about: "logins a minute from one address",
        set: |settings, value| limit(settings, value, |limits| &mut limits.logins_per_minute),
        get: |settings| limited(settings, |limits| limits.logins_per_minute),
    },
    Setting {
        name: "http.failed_logins_per_minute_max",
        about: "failed logins a minute from one address",
        set: |settings, value| {
            limit(settings, value, |limits| &mut limits.failed_logins_per_minute)
        },
        get: |settings| limited(settings, |limits| limits.failed_logins_per_minute),
    },
];

fn limit(
    settings: &mut Settings,
    value: &Value,
    which: fn(&mut RateLimits) -> &mut u32,
) -> Result<(), String> {
    let limits = settings.http.rate_limits.get_or_insert_default();
    assign(which(limits), number(value, 1, 1_000_000))
}

fn limited(settings: &Settings, which: fn(&RateLimits) -> u32) -> Option<String> {
    settings.http.rate_limits.as_ref().map(|limits| which(limits).to_string())
}

fn seconds(value: &Value, max: i64) -> Result<Duration, String> {
    number(value, 1, max).map(Duration::from_secs)
}

/// All of a list, or what it must be.
fn list<T: FromStr>(value: &Value, wanted: &str) -> Result<Vec<T>, String> {
    let items = texts(value).and_then(|texts| texts.iter().map(|text| text.parse().ok()).collect());
    items.ok_or_else(|| wanted.to_owned())
}

/// A list as TOML.
pub(super) fn shown(items: &[impl fmt::Display]) -> String {
    format!("[{}]", items.iter().map(quoted).collect::<Vec<_>>().join(", "))
}

/// The items of a list; as text they are separated by commas, and nothing is none.
pub(super) fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::Text(text) if text.trim().is_empty() => Some(Vec::new()),
        Value::Text(text) => Some(text.split(',').map(str::trim).collect()),
        Value::List(list) => Some(list.iter().map(String::as_str).collect()),
        _ => None,
    }
}
