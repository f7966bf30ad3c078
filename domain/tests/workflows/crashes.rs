//! Random traffic, and every crash in it.

use std::time::Instant;

use stockade_domain::invariants::Invariant;

use super::{
    coverage::Coverage,
    engine::{BUILT, Engine, Points, Rules},
    faults::{Fault, Faults, breaks},
    recovery::Recovery,
    rng::Rng,
    traffic::Traffic,
};

/// Runs of different seeds, the lives of one run, and the steps of one life.
const RUNS: u64 = 550;
const LIVES: usize = 3;
const STEPS: usize = 260;
/// Workflows in flight at once: enough that they stand in each other's way.
const IN_FLIGHT: usize = 8;
/// What a run of all seeds must look at.
const RECOVERIES: usize = 100_000;

/// One run: lives of random traffic that end in a crash, and a last one that ends in peace.
struct Run {
    seed: u64,
    engine: Engine,
    traffic: Traffic,
}

impl Run {
    fn new(seed: u64, rules: Rules) -> Self {
        Self { seed, engine: Engine::new(rules), traffic: Traffic::new(Rng::new(seed)) }
    }

    fn go(&mut self) -> Result<(), Faults> {
        self.traffic.open_shop(&mut self.engine);
        for _ in 0..LIVES {
            let steps = self.traffic.rng.below(STEPS);
            self.live(steps)?;
            self.crash()?;
            // Recovery is cut off too, now and then more than once.
            while self.traffic.rng.chance(30) {
                self.crash()?;
            }
        }
        self.live(STEPS / 4)?;
        self.engine.run();
        self.engine.sync()?;
        let faults = self.engine.live.faults_at_rest();
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    fn live(&mut self, steps: usize) -> Result<(), Faults> {
        for _ in 0..steps {
            let rng = &mut self.traffic.rng;
            match rng.below(100) {
                0..20 if self.engine.in_flight() < IN_FLIGHT => self.traffic.ask(&mut self.engine),
                20..28 => {
                    let appended = self.engine.journal.len();
                    let durable = self.engine.durable();
                    let more = rng.below(appended - durable + 1);
                    self.engine.sync_to(durable + more)?;
                }
                28..30 => self.engine.now = self.engine.now.plus_ms(60_000 * rng.up_to(20)),
                _ => {
                    if let Some(index) = rng.pick(&self.engine.deliverable()) {
                        self.engine.deliver(index);
                    }
                }
            }
        }
        Ok(())
    }

    fn crash(&mut self) -> Result<(), Faults> {
        let prefixes = self.engine.folds.len();
        let survived = self.engine.durable() + self.traffic.rng.below(prefixes);
        self.engine.crash(survived)
    }
}

impl Drop for Run {
    /// The domain stops on an event that cannot have happened: then the seed must be known too.
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("in the run of seed {}", self.seed);
        }
    }
}

#[test]
fn every_crash_of_random_traffic_heals() {
    let started = Instant::now();
    let mut points = Points::default();
    let (mut effects, mut refusals) = (0, 0);
    let mut coverage = Coverage::default();
    for seed in 0..RUNS {
        let mut run = Run::new(seed, BUILT);
        if let Err(faults) = run.go() {
            panic!("{faults:#?}");
        }
        points.recoveries += run.engine.points.recoveries;
        points.crashes += run.engine.points.crashes;
        coverage.count(&run.engine.journal);
        let told = run.engine.told.count();
        (effects, refusals) = (effects + told.0, refusals + told.1);
    }
    println!(
        "{RUNS} runs, {} recoveries for {} crashes, {effects} effects and {refusals} refusals told, {:?}",
        points.recoveries,
        points.crashes,
        started.elapsed(),
    );
    assert!(points.recoveries >= RECOVERIES, "only {} recoveries", points.recoveries);
    assert!(coverage.missing().is_empty(), "never reached: {:?}", coverage.missing());
    assert!(effects > 0 && refusals > 0, "clients must have been told of both");
}

/// What the checks find in runs that break a rule; every one of them must find something.
fn caught(rules: Rules) -> Faults {
    let faults = |seed| Run::new(seed, rules).go().expect_err("a broken rule must be caught");
    (0..10).flat_map(faults).collect()
}

#[test]
fn null_control_gives_forgotten() {
    let faults = caught(Rules { recovery: Recovery::NoGives, ..BUILT });
    assert!(breaks(&faults, Invariant::UnitsAreConserved));
}

#[test]
fn null_control_takes_left_standing() {
    let faults = caught(Rules { recovery: Recovery::NoUndo, ..BUILT });
    assert!(breaks(&faults, Invariant::EveryEntryHasItsOwner));
}

#[test]
fn null_control_decisions_do_not_adopt() {
    let faults = caught(Rules { recovery: Recovery::NoAdoption, ..BUILT });
    assert!(breaks(&faults, Invariant::EveryEntryHasItsOwner));
}

#[test]
fn null_control_answers_do_not_wait() {
    let faults = caught(Rules { answers_wait: false, ..BUILT });
    assert!(faults.iter().any(|fault| matches!(fault, Fault::Lost(_))));
    assert!(faults.iter().any(|fault| matches!(fault, Fault::ToldTooEarly { .. })));
}
