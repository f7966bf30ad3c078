//! What a client knows of the people it looks after: all that was acknowledged, and what was asked last and never answered.

use serde_json::{Value, json};

use super::{Api, PASSWORD};

/// The most sessions that one person has at once, so that none is ended to make room.
const SESSIONS_MAX: usize = 3;

/// Somebody who has signed in.
struct Session {
    access: String,
    /// Good once.
    refresh: String,
    /// The refresh token before, if there was one.
    spent: Option<String>,
}

struct Person {
    id: u64,
    email: String,
    sessions: Vec<Session>,
    ended: Vec<Session>,
    /// Orders, and whether they are paid.
    orders: Vec<(u64, bool)>,
    /// Whether it was seen after a kill that he can sign in, or that he cannot.
    is_checked: bool,
}

#[derive(Default)]
pub(super) struct Book {
    random: u64,
    client: u64,
    registered: u64,
    people: Vec<Person>,
    erased: Vec<Person>,
    /// Made by staff: id and address.
    made: Vec<(u64, String)>,
    /// API keys: id and text.
    keys: Vec<(u64, String)>,
    revoked: Vec<(u64, String)>,
    /// Who asked to be registered and was not answered.
    maybe_registered: Option<String>,
    /// Who was to be erased, without an answer.
    maybe_erased: Option<Person>,
}

/// The answer, if it has this status.
#[track_caller]
fn must(answer: (u16, Value), status: u16) -> Value {
    assert_eq!(answer.0, status, "{}", answer.1);
    answer.1
}

fn text(answer: &Value, field: &str) -> String {
    answer[field].as_str().unwrap_or_else(|| panic!("no {field} in {answer}")).to_owned()
}

fn session(tokens: &Value, spent: Option<String>) -> Session {
    let (access, refresh) = (text(tokens, "access_token"), text(tokens, "refresh_token"));
    Session { access, refresh, spent }
}

/// A session that ended is no good in any way.
fn is_over(api: &Api, session: &Session) {
    must(api.get("/v1/profile", &session.access).unwrap(), 401);
    for token in [Some(&session.refresh), session.spent.as_ref()].into_iter().flatten() {
        must(api.refresh(token).unwrap(), 401);
    }
}

/// Takes one of a list at random.
fn draw<T>(random: &mut u64, list: &mut Vec<T>) -> Option<T> {
    let at = next(random, list.len().max(1) as u64) as usize;
    (at < list.len()).then(|| list.swap_remove(at))
}

fn next(random: &mut u64, bound: u64) -> u64 {
    *random =
        random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*random >> 33) % bound
}

/// What clients do. Each takes out of the book what it asks about, and puts it back when it is answered: what is not is not known.
impl Book {
    pub(super) fn new(client: u64) -> Self {
        let random = (client + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self { random, client, ..Self::default() }
    }

    /// Does something; nothing when the server is gone.
    pub(super) fn go_on(&mut self, api: &Api) -> Option<()> {
        if self.people.is_empty() {
            return self.register(api);
        }
        let at = next(&mut self.random, self.people.len() as u64) as usize;
        match next(&mut self.random, 16) {
            0 => self.register(api),
            1 => self.make(api),
            2 => self.erase(api, at),
            3 => self.make_key(api),
            4 => self.revoke_key(api),
            5 => self.pay(api, at),
            6 => self.sign_out(api, at),
            7 => self.copy_a_token(api, at),
            8..=10 => self.rotate(api, at),
            11..=13 => self.order(api, at),
            _ => self.sign_in(api, at),
        }
    }

    fn register(&mut self, api: &Api) -> Option<()> {
        self.registered += 1;
        let email = format!("{}-{}@example.com", self.client, self.registered);
        let body = json!({ "email": email, "password": PASSWORD });
        self.maybe_registered = Some(email.clone());
        let customer = must(api.ask("POST", "/v1/register", "", &body)?, 201);
        self.maybe_registered = None;
        self.add(&customer, email);
        self.sign_in(api, self.people.len() - 1)
    }

    fn add(&mut self, customer: &Value, email: String) {
        let id = customer["id"].as_u64().unwrap();
        let (sessions, ended, orders) = (Vec::new(), Vec::new(), Vec::new());
        self.people.push(Person { id, email, sessions, ended, orders, is_checked: false });
    }

    fn sign_in(&mut self, api: &Api, at: usize) -> Option<()> {
        let person = &mut self.people[at];
        if person.sessions.len() < SESSIONS_MAX {
            let tokens = must(api.sign_in(&person.email, PASSWORD)?, 200);
            person.sessions.push(session(&tokens, None));
        }
        Some(())
    }

    fn rotate(&mut self, api: &Api, at: usize) -> Option<()> {
        let Some(old) = draw(&mut self.random, &mut self.people[at].sessions) else {
            return Some(());
        };
        let tokens = must(api.refresh(&old.refresh)?, 200);
        self.people[at].sessions.push(session(&tokens, Some(old.refresh)));
        Some(())
    }

    fn sign_out(&mut self, api: &Api, at: usize) -> Option<()> {
        let Some(here) = draw(&mut self.random, &mut self.people[at].sessions) else {
            return Some(());
        };
        must(api.ask("POST", "/v1/logout", &here.access, &json!({}))?, 204);
        self.people[at].ended.push(here);
        Some(())
    }

    /// Somebody comes with a refresh token that was exchanged before.
    fn copy_a_token(&mut self, api: &Api, at: usize) -> Option<()> {
        let sessions = &mut self.people[at].sessions;
        let Some(copied) = sessions.iter().position(|session| session.spent.is_some()) else {
            return Some(());
        };
        let copied = sessions.swap_remove(copied);
        let refused = must(api.refresh(copied.spent.as_ref().unwrap())?, 401);
        assert_eq!(refused["code"], "refresh_token_reused", "{refused}");
        self.people[at].ended.push(copied);
        Some(())
    }

    fn erase(&mut self, api: &Api, at: usize) -> Option<()> {
        let person = self.people.swap_remove(at);
        let path = format!("/v1/customers/{}", person.id);
        let person = self.maybe_erased.insert(person);
        person.is_checked = false;
        must(api.ask("DELETE", &path, &api.admin, &Value::Null)?, 204);
        self.erased.extend(self.maybe_erased.take());
        Some(())
    }

    fn order(&mut self, api: &Api, at: usize) -> Option<()> {
        let person = &mut self.people[at];
        let Some(session) = person.sessions.first() else { return Some(()) };
        let body = json!({ "product_id": 1, "quantity": 1, "note": "ring twice" });
        let order = must(api.ask("POST", "/v1/orders", &session.access, &body)?, 201);
        person.orders.push((order["id"].as_u64().unwrap(), false));
        Some(())
    }

    /// A machine records a payment.
    fn pay(&mut self, api: &Api, at: usize) -> Option<()> {
        let orders = &mut self.people[at].orders;
        let (Some((_, key)), Some(unpaid)) =
            (self.keys.first(), orders.iter().position(|(_, is_paid)| !is_paid))
        else {
            return Some(());
        };
        let (order, _) = orders.swap_remove(unpaid);
        let path = format!("/v1/orders/{order}/payments");
        must(api.ask("POST", &path, key, &json!({}))?, 201);
        orders.push((order, true));
        Some(())
    }

    /// Staff makes a customer who does not sign in.
    fn make(&mut self, api: &Api) -> Option<()> {
        self.registered += 1;
        let email = format!("{}-{}@example.com", self.client, self.registered);
        let made = api.ask("POST", "/v1/customers", &api.staff, &json!({ "email": email }))?;
        self.made.push((must(made, 201)["id"].as_u64().unwrap(), email));
        Some(())
    }

    fn make_key(&mut self, api: &Api) -> Option<()> {
        let made = api.ask("POST", "/v1/api-keys", &api.admin, &json!({ "name": "machine" }))?;
        let made = must(made, 201);
        self.keys.push((made["id"].as_u64().unwrap(), text(&made, "token")));
        Some(())
    }

    fn revoke_key(&mut self, api: &Api) -> Option<()> {
        let Some(key) = draw(&mut self.random, &mut self.keys) else { return Some(()) };
        let path = format!("/v1/api-keys/{}", key.0);
        must(api.ask("DELETE", &path, &api.admin, &Value::Null)?, 204);
        self.revoked.push(key);
        Some(())
    }
}

/// What a new life must know.
impl Book {
    /// Compares everything with the server. Signing in costs much: it is tried of who is new in the book, and of all `at_last`.
    pub(super) fn check(&mut self, api: &Api, at_last: bool) {
        self.settle(api);
        for person in &mut self.people {
            person.check(api, at_last);
        }
        for person in &mut self.erased {
            person.check_erased(api, at_last);
        }
        for (id, email) in &self.made {
            let found = must(api.get(&format!("/v1/customers/{id}"), &api.staff).unwrap(), 200);
            assert_eq!(found["email"], **email);
        }
        let is_told = |(_, key): &(u64, String)| api.get("/v1/stock", key).unwrap().0;
        assert!(self.keys.iter().all(|key| is_told(key) == 200), "a key that is good");
        assert!(self.revoked.iter().all(|key| is_told(key) == 401), "a key that was revoked");
    }

    /// Finds out what became of what was not answered.
    fn settle(&mut self, api: &Api) {
        if let Some(email) = self.maybe_registered.take() {
            let body = json!({ "email": email, "password": PASSWORD });
            match api.ask("POST", "/v1/register", "", &body).unwrap() {
                (201, customer) => self.add(&customer, email),
                (_, taken) => {
                    assert_eq!(taken["code"], "email_taken", "{taken}");
                    let found = api.get(&format!("/v1/customers?email={email}"), &api.staff);
                    self.add(&must(found.unwrap(), 200)["data"][0], email);
                }
            }
        }
        if let Some(person) = self.maybe_erased.take() {
            let path = format!("/v1/customers/{}", person.id);
            let found = must(api.get(&path, &api.admin).unwrap(), 200);
            match found["email"].is_null() {
                true => self.erased.push(person),
                false => self.people.push(person),
            }
        }
    }

    /// People, sessions that go on, sessions that ended, erased people, orders, and API keys.
    pub(super) fn counts(&self) -> [usize; 6] {
        let of = |count: fn(&Person) -> usize| self.people.iter().map(count).sum::<usize>();
        [
            self.people.len(),
            of(|person| person.sessions.len()),
            of(|person| person.ended.len()),
            self.erased.len(),
            of(|person| person.orders.len()),
            self.keys.len() + self.revoked.len(),
        ]
    }
}

impl Person {
    fn check(&mut self, api: &Api, at_last: bool) {
        for session in &self.sessions {
            let profile = must(api.get("/v1/profile", &session.access).unwrap(), 200);
            assert_eq!(
                (&profile["id"], &profile["email"]),
                (&self.id.into(), &(*self.email).into())
            );
        }
        self.ended.iter().for_each(|session| is_over(api, session));
        if !self.is_checked || at_last {
            must(api.sign_in(&self.email, PASSWORD).unwrap(), 200);
            self.is_checked = true;
        }
        self.check_orders(api, &json!("ring twice"));
        if at_last {
            self.spend_all(api);
        }
    }

    /// Nobody knows any more who he was, nobody signs in as him, and his orders stay.
    fn check_erased(&mut self, api: &Api, at_last: bool) {
        let path = format!("/v1/customers/{}", self.id);
        let found = must(api.get(&path, &api.admin).unwrap(), 200);
        assert_eq!((&found["email"], &found["name"]), (&Value::Null, &Value::Null));
        self.sessions.iter().chain(&self.ended).for_each(|session| is_over(api, session));
        if !self.is_checked || at_last {
            must(api.sign_in(&self.email, PASSWORD).unwrap(), 401);
            self.is_checked = true;
        }
        self.check_orders(api, &Value::Null);
    }

    fn check_orders(&self, api: &Api, note: &Value) {
        for (id, is_paid) in &self.orders {
            let order = must(api.get(&format!("/v1/orders/{id}"), &api.staff).unwrap(), 200);
            assert_eq!((&order["customer_id"], &order["note"]), (&self.id.into(), note));
            assert!(!is_paid || order["status"] == "paid", "{order}");
        }
    }

    /// A refresh token that was given out before a kill is good once after it, and the one before it ends the session.
    fn spend_all(&mut self, api: &Api) {
        for old in self.sessions.drain(..) {
            let tokens = must(api.refresh(&old.refresh).unwrap(), 200);
            let next = session(&tokens, Some(old.refresh));
            let refused = must(api.refresh(next.spent.as_ref().unwrap()).unwrap(), 401);
            assert_eq!(refused["code"], "refresh_token_reused", "{refused}");
            is_over(api, &next);
            self.ended.push(next);
        }
    }
}
