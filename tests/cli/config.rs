use crate::support::{command, finish, run, write};

#[test]
fn what_config_prints_can_be_read_again_and_the_later_source_wins() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.toml");
    write(&file, "[data]\ndurability = \"interval:5\"\n[log]\nlevel = \"warn\"\n");
    let mut from_both = command(folder.path(), &["config", "--config", "shop.toml"]);
    from_both.env("STOCKADE_LOG__LEVEL", "debug");
    let printed = finish(from_both).succeeded().out;
    assert!(printed.contains("durability = \"interval:5\""), "{printed}");
    assert!(printed.contains("level = \"debug\""), "the environment wins: {printed}");
    write(&folder.path().join("stockade.toml"), &printed);
    assert_eq!(run(folder.path(), &["config"]).succeeded().out, printed);
}

#[test]
fn a_wrong_setting_is_refused_with_key_file_and_line_before_anything_opens() {
    let folder = tempfile::tempdir().unwrap();
    for (text, words) in [
        ("[http]\nlisen = \"x\"\n", ["stockade.toml:2", "unknown key http.lisen"]),
        ("\n[engine]\n\nlanes = 0\n", ["stockade.toml:4", "engine.lanes is 0, must be"]),
        ("[nonsense]\na = 1\n", ["stockade.toml:2", "unknown key nonsense.a"]),
        (
            "[http]\nworkers = 2\njson_bytes_max = 7\n",
            ["stockade.toml:3", "http.json_bytes_max is 7"],
        ),
        ("listen = \"127.0.0.1:1\"\n", ["stockade.toml:1", "did you mean http.listen?"]),
        ("[http]\nlisten = \n", ["stockade.toml:2", "stockade.toml"]),
        ("[log]\nlevel = \"warn\"\nlevel = \"info\"\n", ["stockade.toml:3", "duplicate key level"]),
        ("[log]\n[data]\n[log]\n", ["stockade.toml:3", "duplicate key log"]),
        ("[log]\nlevel = \"inof\"\n", ["stockade.toml:2", "log.level is \"inof\", must be one of"]),
    ] {
        write(&folder.path().join("stockade.toml"), text);
        run(folder.path(), &["serve"]).refused(2, &words);
        assert!(!folder.path().join("stockade-data").exists(), "{text}");
    }
}

#[test]
fn wrong_environment_and_flags_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = command(folder.path(), &["config"]);
    wrong.env("STOCKADE_DATA__DURABILITY", "often");
    finish(wrong).refused(2, &["STOCKADE_DATA__DURABILITY", "data.durability is \"often\""]);
    for (wrong, meant) in
        [("STOCKADE_AUTH_MODE", "STOCKADE_AUTH__MODE"), ("STOCKADE_DATADIR", "STOCKADE_DATA__DIR")]
    {
        let mut serve = command(folder.path(), &["serve"]);
        serve.env(wrong, "none");
        finish(serve).refused(2, &[wrong, &format!("did you mean {meant}?")]);
        assert!(!folder.path().join("stockade-data").exists());
    }
    let wrong = run(folder.path(), &["serve", "--listen", "nowhere"]);
    wrong.refused(2, &["--listen", "http.listen is \"nowhere\""]);
    let wrong = run(folder.path(), &["serve", "--auth", "open"]);
    wrong.refused(2, &["--auth", "auth.mode is \"open\"", "jwt, none"]);
    run(folder.path(), &["config", "--config", "none.toml"]).refused(2, &["none.toml"]);
    run(folder.path(), &["dance"]).refused(2, &["dance"]);
}

#[test]
fn the_openapi_document_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let printed = run(folder.path(), &["openapi"]).succeeded();
    assert_eq!(printed.out, stockade::http::openapi());
    assert_eq!(printed.json()["openapi"], "3.1.0");
}

#[test]
fn version_and_completions_are_printed() {
    let folder = tempfile::tempdir().unwrap();
    let version = run(folder.path(), &["version", "--output", "json"]).succeeded().json();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    let script = run(folder.path(), &["completions", "bash"]).succeeded().out;
    assert!(script.contains("replay"));
}
