//! The one route table.

use actix_web::{
    FromRequest, Handler, HttpResponse, Resource, guard,
    http::{StatusCode, header::ALLOW},
    web::{self, ServiceConfig},
};

use crate::{
    accounts, adjustments, api_keys,
    caller::Access::{self, Admin, Anybody, Customer, Public, Staff},
    docs, errors, events,
    gate::Gate,
    health, orders,
    problem::Problem,
    products, reservations, shops, stock, test_clock, tokens, trace, transfers, warehouses,
};

/// A route: a method of a path, and who may use it.
///
/// ```
/// let orders = stockade_http::routes().into_iter().find(|route| route.path == "/orders").unwrap();
/// assert_eq!((orders.method, orders.who), ("GET", "customer"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The method; HEAD comes with GET.
    pub method: &'static str,
    /// The path without its mount: `/orders/{id}`.
    pub path: String,
    /// Whether it exists at the root alone, and not under the mounts.
    pub is_root_only: bool,
    /// Who may use it: `anybody` (no token is looked at), `public`, `customer`, `staff` or `admin`; each from there on up.
    pub who: &'static str,
}

/// Every route there is, those of the root first.
#[must_use]
pub fn routes() -> Vec<Route> {
    let mut routes = Vec::new();
    let mut listing = Table { config: None, routes: &mut routes };
    root(&mut listing);
    clock(&mut listing);
    let roots = listing.routes.len();
    table(&mut listing);
    routes[..roots].iter_mut().for_each(|route| route.is_root_only = true);
    routes
}

/// Where routes are entered: into the server's configuration, or only into a list.
struct Table<'a> {
    config: Option<&'a mut ServiceConfig>,
    routes: &'a mut Vec<Route>,
}

/// All routes: those of the root alone, then the table under each mount.
pub(crate) fn configure(config: &mut ServiceConfig, with_test_clock: bool) {
    let into = |config: &mut ServiceConfig, enter: fn(&mut Table<'_>)| {
        enter(&mut Table { config: Some(config), routes: &mut Vec::new() });
    };
    into(config, root);
    if with_test_clock {
        into(config, clock);
    }
    config.service(web::scope("/v1").configure(|config| into(config, table)));
    config.service(web::scope("/api").configure(|config| into(config, table)));
    into(config, table);
}

/// What stands at the root alone.
fn root(config: &mut Table<'_>) {
    At::probe("/livez").get(Anybody, health::live).add(config);
    At::probe("/readyz").get(Anybody, health::ready).add(config);
    At::probe("/healthz").get(Anybody, health::health).add(config);
    At::path("/openapi.json").get(Anybody, docs::document).add(config);
    #[cfg(feature = "docs-ui")]
    At::path("/docs").get(Anybody, docs::ui::page).add(config);
    #[cfg(feature = "docs-ui")]
    At::path("/docs/{file}").get(Anybody, docs::ui::file).add(config);
    At::path("/errors/{code}").get(Anybody, errors::page).add(config);
    At::path("/.well-known/jwks.json").get(Anybody, tokens::jwks).add(config);
}

/// What stands at the root of a server for tests alone.
fn clock(config: &mut Table<'_>) {
    At::path("/test/clock").post(Admin, test_clock::advance).add(config);
}

/// The same under every mount. The router looks from the top: what is asked for most comes first, and a literal comes before an id.
fn table(config: &mut Table<'_>) {
    let at = |path: &str| At::path(&path.replace("{id}", &id("id")));
    at("/orders").get(Customer, orders::list).post(Customer, orders::place).add(config);
    at("/orders/batch").post(Customer, orders::place_many).add(config);
    at("/orders/plan").post(Customer, orders::plan).add(config);
    at("/orders/{id}").get(Customer, orders::get).add(config);
    at("/orders/{id}/payments").post(Staff, orders::pay).add(config);
    at("/orders/{id}/shipments").post(Staff, orders::ship).add(config);
    at("/orders/{id}/deliver").post(Staff, orders::deliver).add(config);
    at("/orders/{id}/cancel").post(Customer, orders::cancel).add(config);
    at("/orders/{id}/returns").post(Staff, orders::return_goods).add(config);
    at("/orders/{id}/refunds").post(Staff, orders::refund).add(config);
    at("/orders/{id}/status").patch(Staff, orders::set_status).add(config);
    at("/orders/{id}/events").get(Customer, orders::history).add(config);
    at("/order-details").get(Customer, orders::details).add(config);

    at("/products").get(Public, products::list).post(Staff, products::create).add(config);
    at("/products/batch").post(Staff, products::change_many).add(config);
    at("/products/{id}")
        .get(Public, products::get)
        .put(Staff, products::replace)
        .patch(Staff, products::patch)
        .delete(Staff, products::archive)
        .add(config);

    at("/reservations")
        .get(Customer, reservations::list)
        .post(Customer, reservations::create)
        .add(config);
    at("/reservations/{id}")
        .get(Customer, reservations::get)
        .delete(Customer, reservations::release)
        .add(config);
    at("/reservations/{id}/extend").post(Customer, reservations::extend).add(config);

    at("/stock").get(Staff, stock::list).add(config);
    at("/stock/adjustments").post(Staff, adjustments::adjust).add(config);
    at("/stock/adjustments/{id}").get(Staff, adjustments::adjustment).add(config);
    at("/warehouses").get(Public, warehouses::list).post(Staff, warehouses::create).add(config);
    at("/warehouses/transfer").post(Staff, transfers::create).add(config);
    at("/warehouses/{id}").get(Public, warehouses::get).patch(Staff, warehouses::patch).add(config);
    at("/warehouses/{id}/status").patch(Staff, warehouses::set_status).add(config);
    at(&format!("/warehouses/{{id}}/stock/{}", id("product_id")))
        .get(Staff, stock::get)
        .put(Staff, stock::recount)
        .patch(Staff, stock::set_policy)
        .add(config);

    at(&format!("/warehouses/{{id}}/stock/{}/explain", id("product_id")))
        .get(Staff, stock::explain)
        .add(config);
    at("/events").get(Staff, events::list).add(config);

    at("/transfers").get(Staff, transfers::list).add(config);
    at("/transfers/{id}").get(Staff, transfers::get).add(config);
    at("/transfers/{id}/receive").post(Staff, transfers::receive).add(config);
    at("/transfers/{id}/cancel").post(Staff, transfers::cancel).add(config);

    at("/register").post(Anybody, accounts::register).add(config);
    at("/login").post(Anybody, accounts::login).add(config);
    at("/token/refresh").post(Anybody, accounts::refresh).add(config);
    at("/logout").post(Customer, accounts::logout).add(config);
    at("/profile")
        .get(Customer, accounts::get_profile)
        .patch(Customer, accounts::patch_profile)
        .add(config);
    at("/profile/password").post(Customer, accounts::change_password).add(config);
    at("/customers").get(Staff, accounts::list).post(Staff, accounts::create).add(config);
    at("/customers/{id}")
        .get(Customer, accounts::get)
        .patch(Staff, accounts::patch)
        .delete(Admin, accounts::erase)
        .add(config);
    at("/accounts")
        .get(Admin, accounts::staff::list)
        .post(Admin, accounts::staff::create)
        .add(config);
    at("/accounts/{id}")
        .get(Admin, accounts::staff::get)
        .patch(Admin, accounts::staff::patch)
        .add(config);
    at("/api-keys").get(Admin, api_keys::list).post(Admin, api_keys::create).add(config);
    at("/api-keys/{id}").get(Admin, api_keys::get).delete(Admin, api_keys::revoke).add(config);

    at("/shops").get(Public, shops::list).post(Staff, shops::create).add(config);
    at("/shops/{id}").get(Public, shops::get).patch(Staff, shops::patch).add(config);
    at("/shops/{id}/warehouses")
        .get(Public, shops::warehouses)
        .put(Staff, shops::set_warehouses)
        .add(config);
}

/// An id in a path: anything else there is a path that does not exist.
fn id(name: &str) -> String {
    format!("{{{name}:[1-9][0-9]{{0,15}}}}")
}

/// One path with all its methods. HEAD comes with GET, OPTIONS with everything; any other method is a 405 that says which there are.
struct At {
    path: String,
    resource: Resource,
    methods: Vec<(&'static str, Access)>,
    is_gated: bool,
}

macro_rules! methods {
    ($($name:ident $method:literal $guard:expr;)*) => {$(
        fn $name<F, Args>(mut self, who: Access, handler: F) -> Self
        where
            F: Handler<Args, Output = Result<HttpResponse, Problem>>,
            Args: FromRequest + 'static,
        {
            self.methods.push(($method, who));
            let route = web::route().guard($guard);
            let route = match self.is_gated {
                true => route.to(Gate::new(who, handler)),
                false => route.to(handler),
            };
            self.resource = self.resource.route(route);
            self
        }
    )*};
}

impl At {
    fn path(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            resource: web::resource(path),
            methods: Vec::new(),
            is_gated: true,
        }
    }

    /// A path that whoever watches the server asks: everybody may, as often as they want.
    fn probe(path: &str) -> Self {
        Self { is_gated: false, ..Self::path(path) }
    }

    methods! {
        get "GET" guard::Any(guard::Get()).or(guard::Head());
        post "POST" guard::Post();
        put "PUT" guard::Put();
        patch "PATCH" guard::Patch();
        delete "DELETE" guard::Delete();
    }

    fn add(self, table: &mut Table<'_>) {
        let path = trace::route(&self.path);
        let route = |&(method, who): &(&'static str, Access)| Route {
            method,
            path: path.clone(),
            is_root_only: false,
            who: who.name(),
        };
        table.routes.extend(self.methods.iter().map(route));
        let Some(config) = &mut table.config else { return };
        let methods = self.methods.iter().map(|(method, _)| match *method {
            "GET" => "GET, HEAD",
            method => method,
        });
        let allow = methods.chain(["OPTIONS"]).collect::<Vec<_>>().join(", ");
        let options = allow.clone();
        let options = move || {
            let allow = options.clone();
            async move {
                HttpResponse::build(StatusCode::NO_CONTENT).insert_header((ALLOW, allow)).finish()
            }
        };
        let other = move || refuse(allow.clone());
        config.service(
            self.resource
                .route(web::route().guard(guard::Options()).to(options))
                .default_service(web::to(other)),
        );
    }
}

async fn refuse(allow: String) -> Result<HttpResponse, Problem> {
    Err(Problem::method_not_allowed(&allow))
}
