//! Rate limits: how much one caller may ask for in a while.
//!
//! One number a caller: the moment at which its bucket is full again. Taking one moves it on by an interval, and beyond a whole
//! window it is refused (the generic cell rate algorithm). A bucket that is full is the same as none, so that forgetting is exact.
//! It is written here rather than taken from a crate because logins that succeed are given back, because memory has
//! a bound, and because it is this short.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{problem::Problem, standing::Standing};

/// The most callers that one limit knows by name, about 4 MiB; those who come when it is full of busy ones share one bucket.
const KEYS_MAX: usize = 65_536;

/// Locks of one limit, so that workers seldom meet at one.
const SHARDS: usize = 16;

/// How much callers may ask for. What is not used within a window is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// Requests a second of one signed-in user.
    pub user_per_second: u32,
    /// Requests a second from one address, of those who are not signed in. 64 bits of an IPv6 address count as one.
    pub address_per_second: u32,
    /// Logins a minute from one address.
    pub logins_per_minute: u32,
    /// Failed logins a minute from one address.
    pub failed_logins_per_minute: u32,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            user_per_second: 100,
            address_per_second: 20,
            logins_per_minute: 30,
            failed_logins_per_minute: 10,
        }
    }
}

/// All limits and the state of everybody who is near one.
pub(crate) struct Limits {
    clock: Box<dyn Fn() -> Duration + Send + Sync>,
    users: Limit<u64>,
    addresses: Limit<IpAddr>,
    logins: Limit<IpAddr>,
    failed_logins: Limit<IpAddr>,
}

impl Limits {
    pub(crate) fn new(limits: &RateLimits) -> Self {
        let start = Instant::now();
        Self::with_clock(limits, move || start.elapsed())
    }

    /// With a clock that only goes forward.
    fn with_clock(
        limits: &RateLimits,
        clock: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Self {
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        Self {
            clock: Box::new(clock),
            users: Limit::new("user", limits.user_per_second, second),
            addresses: Limit::new("address", limits.address_per_second, second),
            logins: Limit::new("login", limits.logins_per_minute, minute),
            failed_logins: Limit::new("failed-login", limits.failed_logins_per_minute, minute),
        }
    }

    /// One request of a signed-in user. Staff and admins are not asked.
    pub(crate) fn check_user(&self, id: u64) -> Result<Standing, Problem> {
        self.users.take(id, (self.clock)()).map_err(Standing::refusal)
    }

    /// One request of somebody who is not signed in.
    pub(crate) fn check_address(&self, address: IpAddr) -> Result<Standing, Problem> {
        self.addresses.take(place(address), (self.clock)()).map_err(Standing::refusal)
    }

    /// One try to sign in, before the password is looked at. Until it is known better it counts as one that has failed: of tries
    /// at the same time no more are looked at than may fail.
    pub(crate) fn check_login(&self, address: IpAddr) -> Result<[Standing; 2], Problem> {
        let now = (self.clock)();
        let failed = self.failed_logins.take(place(address), now).map_err(Standing::refusal)?;
        let login = self.logins.take(place(address), now).map_err(|over| {
            self.login_did_not_fail(address);
            over.refusal()
        })?;
        Ok([failed, login])
    }

    /// The try has not failed, or its password was not looked at.
    pub(crate) fn login_did_not_fail(&self, address: IpAddr) {
        self.failed_logins.give_back(place(address), (self.clock)());
    }
}

/// What counts as one address: whoever has one of IPv6 has 2^64.
fn place(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

/// One limit, for every caller alike.
struct Limit<K> {
    name: &'static str,
    most: u32,
    /// In which one more comes free.
    interval: Duration,
    hasher: RandomState,
    shards: Vec<Mutex<Shard<K>>>,
}

struct Shard<K> {
    /// When the bucket of each is full again. Nobody in it had a full one when it was last cleaned.
    full_at: HashMap<K, Duration>,
    /// The bucket of all who found no place.
    shared_full_at: Duration,
    /// Cleaning looks at everybody, so that it has a pace.
    clean_at: Duration,
}

impl<K: Hash + Eq> Limit<K> {
    fn new(name: &'static str, most: u32, window: Duration) -> Self {
        let most = most.max(1);
        let shard = |_| {
            let (shared_full_at, clean_at) = (Duration::ZERO, Duration::ZERO);
            Mutex::new(Shard { full_at: HashMap::new(), shared_full_at, clean_at })
        };
        let shards = (0..SHARDS).map(shard).collect();
        Self { name, most, interval: window / most, hasher: RandomState::new(), shards }
    }

    fn window(&self) -> Duration {
        self.interval * self.most
    }

    /// Takes one, or says when there is one.
    fn take(&self, key: K, now: Duration) -> Result<Standing, Standing> {
        self.with(key, now, |full_at| {
            *full_at = self.after(*full_at, now)?;
            Ok(self.standing(*full_at, now))
        })
    }

    /// Gives back one that was taken.
    fn give_back(&self, key: K, now: Duration) {
        self.with(key, now, |full_at| *full_at = full_at.saturating_sub(self.interval));
    }

    /// When a bucket is full again that one more is taken from.
    fn after(&self, full_at: Duration, now: Duration) -> Result<Duration, Standing> {
        let empty_for = full_at.saturating_sub(now) + self.interval;
        match empty_for.checked_sub(self.window()) {
            None | Some(Duration::ZERO) => Ok(now + empty_for),
            Some(more_in) => Err(Standing { left: 0, more_in, ..self.standing(full_at, now) }),
        }
    }

    fn standing(&self, full_at: Duration, now: Duration) -> Standing {
        let (name, most, window) = (self.name, self.most, self.window());
        let more_in = full_at.saturating_sub(now);
        let left = window.saturating_sub(more_in).as_nanos() / self.interval.as_nanos().max(1);
        Standing { name, most, window, left, more_in }
    }

    fn with<T>(&self, key: K, now: Duration, ask: impl FnOnce(&mut Duration) -> T) -> T {
        let at = self.hasher.hash_one(&key) as usize % SHARDS;
        // A panic while it was held left whole numbers behind.
        let mut shard = self.shards[at].lock().unwrap_or_else(PoisonError::into_inner);
        let Shard { full_at, shared_full_at, clean_at } = &mut *shard;
        let is_new = !full_at.contains_key(&key);
        if is_new && full_at.len() >= KEYS_MAX / SHARDS && now >= *clean_at {
            full_at.retain(|_, full_at| *full_at > now);
            *clean_at = now + self.window();
        }
        if is_new && full_at.len() >= KEYS_MAX / SHARDS {
            return ask(shared_full_at);
        }
        ask(full_at.entry(key).or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };

    use super::*;

    /// The limits, and a clock that only this test moves.
    fn limits() -> (Limits, impl Fn(u64)) {
        let ms = Arc::new(AtomicU64::new(0));
        let read = ms.clone();
        let clock = move || Duration::from_millis(read.load(Ordering::Relaxed));
        let advance = move |by| {
            ms.fetch_add(by, Ordering::Relaxed);
        };
        (Limits::with_clock(&RateLimits::default(), clock), advance)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn granted<T>(mut ask: impl FnMut() -> Result<T, Problem>) -> usize {
        (0..1_000).take_while(|_| ask().is_ok()).count()
    }

    #[test]
    fn a_window_at_once_and_then_one_an_interval() {
        let (limits, advance) = limits();
        assert_eq!(granted(|| limits.check_user(1)), 100);
        assert_eq!(granted(|| limits.check_user(2)), 100, "each for itself");
        advance(9);
        assert_eq!(granted(|| limits.check_user(1)), 0);
        advance(1);
        assert_eq!(granted(|| limits.check_user(1)), 1);
        advance(500);
        assert_eq!(granted(|| limits.check_user(1)), 50);
        advance(1_000_000);
        assert_eq!(granted(|| limits.check_user(1)), 100, "nothing is saved up");
    }

    #[test]
    fn a_refusal_says_when_to_come_again() {
        let (limits, advance) = limits();
        let home = ip("10.0.0.1");
        let sign_in = || limits.check_login(home).inspect(|_| limits.login_did_not_fail(home));
        assert_eq!(granted(sign_in), 30);
        advance(500);
        let answer = limits.check_login(home).unwrap_err().render(None);
        let header = |name: &str| answer.headers().get(name).unwrap().to_str().unwrap().to_owned();
        assert_eq!(answer.status(), 429);
        assert_eq!(header("retry-after"), "2");
        assert_eq!(header("ratelimit"), "\"login\";r=0;t=2");
        assert_eq!(header("ratelimit-policy"), "\"login\";q=30;w=60");
        advance(1_500);
        assert_eq!(granted(|| limits.check_login(home)), 1);
    }

    #[test]
    fn who_is_let_in_is_told_what_is_left() {
        let (limits, advance) = limits();
        let standing = limits.check_user(1).unwrap();
        assert_eq!(standing.left(), "\"user\";r=99;t=1");
        assert_eq!(standing.policy(), "\"user\";q=100;w=1");
        let home = ip("10.0.0.1");
        for left in (0..30).rev() {
            let [failed, login] = limits.check_login(home).unwrap();
            assert_eq!(login.left(), format!("\"login\";r={left};t={}", 60 - left * 2));
            assert_eq!(failed.left(), "\"failed-login\";r=9;t=6", "until it is known better");
            limits.login_did_not_fail(home);
        }
        advance(4_000);
        let [_, login] = limits.check_login(home).unwrap();
        assert_eq!(login.left(), "\"login\";r=1;t=58", "two came, one was taken");
        let away = ip("10.0.0.2");
        for left in (0..10).rev() {
            let [failed, _] = limits.check_login(away).unwrap();
            assert!(failed.left().starts_with(&format!("\"failed-login\";r={left};")));
        }
    }

    #[test]
    fn failed_logins_count_apart_and_good_ones_do_not_count_there() {
        let (limits, advance) = limits();
        let (home, away) = (ip("10.0.0.1"), ip("10.0.0.2"));
        assert_eq!(granted(|| limits.check_login(home)), 10, "although 20 of 30 are left");
        limits.check_login(away).unwrap();
        advance(6_000);
        for _ in 0..2 {
            limits.check_login(home).unwrap();
            limits.login_did_not_fail(home);
        }
        limits.check_login(home).unwrap();
        assert!(limits.check_login(home).is_err());
    }

    #[test]
    fn of_logins_at_once_no_more_are_looked_at_than_may_fail() {
        let (limits, advance) = limits();
        let home = ip("10.0.0.1");
        assert_eq!(granted(|| limits.check_login(home)), 10, "nobody knows yet how these end");
        (0..4).for_each(|_| limits.login_did_not_fail(home));
        assert_eq!(granted(|| limits.check_login(home)), 4);
        // Nobody has more for having given back.
        advance(60_000);
        limits.login_did_not_fail(home);
        assert_eq!(granted(|| limits.check_login(home)), 10);
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let (limits, _) = limits();
        for n in 0..20 {
            limits.check_address(ip(&format!("2001:db8::{n}"))).unwrap();
        }
        assert!(limits.check_address(ip("2001:db8::ffff")).is_err());
        limits.check_address(ip("2001:db8:0:1::1")).unwrap();
        assert_eq!(granted(|| limits.check_address(ip("::ffff:10.0.0.1"))), 20);
        assert!(limits.check_address(ip("10.0.0.1")).is_err(), "the same in other letters");
    }

    #[test]
    fn memory_has_a_bound_and_strangers_beyond_it_share_one_bucket() {
        let limit: Limit<u64> = Limit::new("test", 2, Duration::from_secs(1));
        let known = |limit: &Limit<u64>| -> usize {
            limit.shards.iter().map(|shard| shard.lock().unwrap().full_at.len()).sum()
        };
        let now = Duration::from_secs(10);
        for key in 0..2 * KEYS_MAX as u64 {
            let _ = limit.take(key, now);
        }
        assert_eq!(known(&limit), KEYS_MAX);
        assert!((0..100).all(|n| limit.take(1 << 40 | n, now).is_err()), "they share");
        // Whoever is idle for a window makes place.
        limit.take(1 << 50, now + Duration::from_secs(2)).unwrap();
        assert!(known(&limit) < KEYS_MAX);
    }
}
