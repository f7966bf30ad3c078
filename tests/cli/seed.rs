use crate::support::{Server, run};

#[test]
fn the_same_seed_makes_the_same_and_it_adds_up() {
    let folder = tempfile::tempdir().unwrap();
    let seed = |to: &str, place: &str, seed: &str| {
        let args = ["seed", "--products", "50", "--orders", "300", "--output", "json"];
        let args = [&args[..], &[to, place, "--seed", seed]].concat();
        run(folder.path(), &args).succeeded().json()
    };
    let into = |directory: &str, number: &str| seed("--data-dir", directory, number);
    let (first, again, other) = (into("a", "7"), into("b", "7"), into("c", "8"));
    assert_eq!(first, again);
    let server = Server::start(folder.path(), &["--in-memory"]);
    assert_eq!(seed("--url", &server.url, "7"), first, "a server gets the same");
    assert_ne!(first["value"], other["value"]);
    assert_eq!((&first["products"], &first["orders"]), (&50.into(), &300.into()));
    for directory in ["a", "b", "c"] {
        run(folder.path(), &["verify", directory]).succeeded();
    }
    // Asked again it adds nothing, and what else is there is no matter.
    let again = run(folder.path(), &["seed", "--data-dir", "a"]).succeeded();
    assert!(again.out.contains("made-up products already: nothing added"), "{again:?}");
    let again = seed("--url", &server.url, "8");
    assert_eq!((&again["products"], &again["orders"]), (&0.into(), &0.into()));
    let demo = Server::start(folder.path(), &["--data-dir", "d", "--demo"]);
    assert_eq!(demo.terminate().0, Some(0));
    assert_eq!(into("d", "7"), first);
    run(folder.path(), &["verify", "d"]).succeeded();
    run(folder.path(), &["seed"]).refused(2, &["--data-dir"]);
}
