//! What holds for all code of this workspace and no compiler checks.
//!
//! The folder tree is the architecture, so that who may use whom is asserted here, and with it the few calls that would break a
//! promise without breaking a test.

mod source;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use serde_json::Value;
use source::{Line, Source};

/// Which crates of the workspace each may use, for building, testing or both. A new crate finds its place here first.
const MAY_USE: [(&str, &[&str]); 5] = [
    ("stockade-domain", &[]),
    ("stockade-storage", &["stockade-domain"]),
    ("stockade-actors", &["stockade-domain", "stockade-storage"]),
    ("stockade-http", &["stockade-domain", "stockade-actors"]),
    ("stockade", &["stockade-domain", "stockade-storage", "stockade-actors", "stockade-http"]),
];

/// The most lines of a file: what one can still read in one go.
const LINES_MAX: usize = 450;

/// The only file that may read the wall clock.
const CLOCK: &str = "actors/src/clock.rs";

/// Words that lead out of what is pure: IO, clocks, randomness (maps with a random order, too), threads and async.
const IMPURE: [&str; 20] = [
    "fs",
    "net",
    "io",
    "env",
    "os",
    "process",
    "thread",
    "print",
    "println",
    "eprintln",
    "rand",
    "getrandom",
    "HashMap",
    "HashSet",
    "RandomState",
    "Instant",
    "SystemTime",
    "tokio",
    "async",
    "await",
];

/// The folders of the library. What is `pub` there can be reached from outside: the compiler warns of what cannot.
const LIBRARY: [&str; 2] = ["domain/src/", "actors/src/"];

/// Public items without an example, and why.
const NO_EXAMPLE: [(&str, &str); 1] = [("$name", "the macro `ids` takes an example for each id")];

/// Folders of one machine: a path into one of them works nowhere else.
const MACHINE_FOLDERS: [&str; 3] = ["work", "tmp", "root"];

struct Workspace {
    root: PathBuf,
    packages: Vec<Value>,
    sources: Vec<Source>,
}

/// The workspace, read once for all tests.
fn workspace() -> &'static Workspace {
    static WORKSPACE: OnceLock<Workspace> = OnceLock::new();
    WORKSPACE.get_or_init(|| {
        let metadata = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo runs its tests, so it runs");
        let told = String::from_utf8_lossy(&metadata.stderr);
        assert!(metadata.status.success(), "cargo metadata: {told}");
        let metadata: Value = serde_json::from_slice(&metadata.stdout).expect("JSON");
        let root = PathBuf::from(text(&metadata["workspace_root"]));
        let packages = metadata["packages"].as_array().expect("packages").clone();
        let folder = |package: &Value| {
            let manifest = Path::new(text(&package["manifest_path"]));
            manifest.parent().expect("a manifest is in a folder").to_owned()
        };
        let crates: Vec<PathBuf> = packages.iter().map(folder).collect();
        let sources = source::read_all(&root, &crates);
        Workspace { root, packages, sources }
    })
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn is_library(path: &str) -> bool {
    LIBRARY.iter().any(|folder| path.starts_with(folder))
}

/// Every line of code that `rule` has something against.
fn check(rule: impl Fn(&Source, &Line) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for source in &workspace().sources {
        for (number, line) in (1..).zip(&source.lines) {
            if rule(source, line) {
                found.push(format!("{}:{number}: {}", source.path, line.code.trim()));
            }
        }
    }
    found
}

#[track_caller]
fn assert_none(found: Vec<String>, rule: &str) {
    assert!(found.is_empty(), "{rule}\n  {}\n", found.join("\n  "));
}

#[test]
fn dependencies_point_downwards() {
    let mut found = Vec::new();
    for package in &workspace().packages {
        let name = text(&package["name"]);
        let Some((_, allowed)) = MAY_USE.iter().find(|(known, _)| *known == name) else {
            found.push(format!("{name} has no place in the order of crates"));
            continue;
        };
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let used = text(&dependency["name"]);
            let is_ours = dependency["path"].is_string();
            if is_ours && !allowed.contains(&used) {
                found.push(format!("{name} uses {used}"));
            }
        }
    }
    assert_none(found, "dependencies point from the outside in, see MAY_USE");
    assert_eq!(workspace().packages.len(), MAY_USE.len(), "every crate of MAY_USE is there");
}

#[test]
fn no_mailbox_is_filled_beyond_its_bound() {
    let found = check(|_, line| !line.is_test && line.code.contains("do_send("));
    assert_none(found, "do_send ignores a mailbox's bound: use try_send");
}

#[test]
fn one_file_reads_the_wall_clock() {
    let found = check(|source, line| {
        !line.is_test && source.path != CLOCK && line.code.contains("SystemTime::now")
    });
    assert_none(
        found,
        "time comes in as an argument; only the engine's clock reads the wall clock",
    );
}

#[test]
fn nothing_is_left_to_do() {
    let found = check(|_, line| {
        !line.is_test && ["todo!(", "dbg!("].iter().any(|left| line.code.contains(left))
    });
    assert_none(found, "unfinished code");
}

#[test]
fn nobody_waits_by_sleeping() {
    let mut found = check(|_, line| {
        line.code.contains("thread::sleep") && !line.comment.starts_with("// sleep:")
    });
    found.extend(check(|_, line| line.is_test && line.code.contains("time::sleep")));
    let rule =
        "wait for what you wait for; a thread that must sleep says why on its line: `// sleep: …`";
    assert_none(found, rule);
}

#[test]
fn the_domain_is_pure() {
    let found = check(|source, line| {
        source.path.starts_with("domain/src/") && impure(&line.code).is_some()
    });
    assert_none(found, "the domain has no IO, no clock, no randomness, no thread and no async");
}

/// The first word of a line that leads out of what is pure. Words, not paths: an import may be grouped, renamed or on several lines.
fn impure(code: &str) -> Option<&str> {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    code.split(|letter| !is_word(letter)).find(|word| IMPURE.contains(word))
}

#[test]
fn what_is_impure_is_seen_however_it_is_written() {
    for code in [
        "use std::{fs, io::Read};",
        "    thread,",
        "use std as s; s::env::var(name)",
        "let now = time::Instant::now();",
        "use std::time::{Duration, SystemTime};",
        "rand::random()",
        "let map = std::collections::HashMap::new();",
        "pub async fn decide() {",
    ] {
        assert!(impure(code).is_some(), "{code}");
    }
    for code in
        ["use std::{fmt, time::Duration};", "let nets = FxHashMap::default();", "brand(io_)"]
    {
        assert_eq!(impure(code), None, "{code}");
    }
}

#[test]
fn files_stay_readable() {
    let sources = workspace().sources.iter();
    let long = sources.filter(|source| source.lines.len() > LINES_MAX);
    let found = long.map(|source| format!("{}: {} lines", source.path, source.lines.len()));
    assert_none(found.collect(), &format!("more than {LINES_MAX} lines: split along a seam"));
}

#[test]
fn every_allow_says_why() {
    let mut found = Vec::new();
    for source in &workspace().sources {
        let mut before = "";
        for (number, line) in (1..).zip(&source.lines) {
            let allows = ["#[allow(", "#![allow("].iter().any(|allow| line.code.contains(allow));
            if allows && before.is_empty() {
                found.push(format!("{}:{number}: {}", source.path, line.code.trim()));
            }
            before = if line.code.trim().is_empty() { &line.comment } else { "" };
        }
    }
    assert_none(found, "an `allow` needs a comment with its reason on the line before");
}

#[test]
fn every_public_item_has_an_example() {
    let mut found = Vec::new();
    for source in workspace().sources.iter().filter(|source| is_library(&source.path)) {
        for (index, line) in source.lines.iter().enumerate().filter(|(_, line)| !line.is_test) {
            let Some((kind, name)) = source::public_item(line) else { continue };
            let doc = match kind {
                "mod" => source.module_doc(name, &workspace().sources),
                _ => source.doc_above(index),
            };
            let exempt = NO_EXAMPLE.iter().any(|(exempt, _)| *exempt == name);
            if !exempt && !doc.iter().any(source::is_example) {
                found.push(format!("{}:{}: {}", source.path, index + 1, line.code.trim()));
            }
        }
    }
    assert_none(found, "what the library offers has an example that compiles: see domain/docs");
}

#[test]
fn nothing_names_a_machine() {
    let root = &workspace().root;
    // With files that are not added yet, so that it fails before they are.
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output();
    let Some(listed) = listed.ok().filter(|listed| listed.status.success()) else {
        eprintln!("skipped: this is no git checkout, so nobody knows which files belong to it");
        return;
    };
    let mut found = Vec::new();
    for file in listed.stdout.split(|byte| *byte == 0) {
        let file = std::str::from_utf8(file).expect("a path of plain letters");
        // Removed and not committed yet, or not text.
        let Ok(content) = std::fs::read_to_string(root.join(file)) else { continue };
        for (number, line) in (1..).zip(content.lines()) {
            if MACHINE_FOLDERS.iter().any(|folder| line.contains(&format!("/{folder}/"))) {
                found.push(format!("{file}:{number}: {}", line.trim()));
            }
        }
    }
    assert_none(found, "a path of one machine");
}

/// The rules above are worth nothing if they look at the wrong text.
#[test]
fn code_comments_strings_and_tests_are_told_apart() {
    let text = [
        "let a = \"// b\"; // c \"d\"",
        "let e = r#\"f\"g\"#; /* h",
        "i /* j */ */ let k: &'l str = m('\"', '\\'', 'n');",
        "/// o",
    ];
    let line = |code: &str, comment: &str| Line {
        code: code.into(),
        comment: comment.into(),
        is_test: false,
    };
    let wanted = [
        line("let a = \"\"\"\"\"\"; ", "// c \"d\""),
        line("let e = \"\"\"\"\"\"\"\"; ", "/* h"),
        line(" let k: &'l str = m(\"\"\", \"\"\"\", \"\"\");", "i /* j */ */"),
        line("", "/// o"),
    ];
    assert_eq!(source::split(&format!("{}\n", text.join("\n"))), wanted);

    let has = |path: &str, wanted: fn(&Line) -> bool| {
        let source = workspace().sources.iter().find(|source| source.path == path);
        source.expect("a file of the workspace").lines.iter().any(wanted)
    };
    for (path, code, tests) in [
        ("domain/src/money.rs", true, true),
        ("domain/src/lib.rs", true, false),
        ("domain/src/testing.rs", false, true),
        ("domain/src/stock/tests.rs", false, true),
        ("domain/src/order/tests/pay.rs", false, true),
        ("tests/tidy/main.rs", false, true),
    ] {
        assert_eq!(has(path, |line| !line.is_test), code, "{path} has code");
        assert_eq!(has(path, |line| line.is_test), tests, "{path} has tests");
    }
}
