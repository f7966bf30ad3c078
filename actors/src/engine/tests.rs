//! What needs the inside of the engine: a bug in it, and a wall clock that jumps.

mod clock;

use std::sync::mpsc;

use futures_executor::block_on;
use stockade_domain::{Currency, catalogue::NewProduct};

use super::Engine;
use crate::{Error, job::Job};

#[test]
fn a_panic_in_a_decision_is_a_refusal() {
    let decided = crate::lane::guarded(|| -> Result<(), Error> { panic!("a rule with a bug") });
    assert_eq!(decided, Err(Error::Panicked));
}

#[test]
fn whoever_waits_behind_a_bug_hears_of_it_too() {
    let engine = Engine::in_memory().unwrap();
    // More than begin at once: the last of them never begin.
    let bugs = vec![(); 500];
    let answers = block_on(engine.run_many(0, bugs, |(), reply| (0, Job::Bug { reply })));
    assert!(matches!(answers, Err(Error::Stopped(_))), "{answers:?}");
}

#[test]
fn any_other_panic_stops_the_engine_and_everybody_hears_of_it() {
    let engine = Engine::in_memory().unwrap();
    let (heard, reason) = mpsc::channel();
    engine.on_stopped(move |why| drop(heard.send(why.to_owned())));
    let answer = block_on(engine.run(0, 0, |reply| Job::Bug { reply }));
    assert!(matches!(answer, Err(Error::Stopped(_))), "{answer:?}");
    assert!(reason.recv().unwrap().contains("panic"));
    let next = block_on(engine.create_product(NewProduct::new("late", 1, Currency::USD)));
    assert!(matches!(next, Err(Error::Stopped(_))));
    assert!(matches!(engine.shutdown(), Err(Error::Stopped(_))), "and it still ends");
}
