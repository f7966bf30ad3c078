//! The one route table.

use actix_web::{
    FromRequest, Handler, HttpResponse, Resource, guard,
    http::{StatusCode, header::ALLOW},
    web::{self, ServiceConfig},
};

use crate::{
    adjustments, errors, events, gate::Gate, health, orders, problem::Problem, products,
    reservations, shops, stock, test_clock, transfers, warehouses,
};

/// All routes: those of the root alone, then the table under each mount.
pub(crate) fn configure(config: &mut ServiceConfig, with_test_clock: bool) {
    if with_test_clock {
        At::path("/test/clock").post(test_clock::advance).add(config);
    }
    At::probe("/livez").get(health::live).add(config);
    At::probe("/readyz").get(health::ready).add(config);
    At::probe("/healthz").get(health::health).add(config);
    At::path("/errors/{code}").get(errors::page).add(config);
    config.service(web::scope("/v1").configure(table));
    config.service(web::scope("/api").configure(table));
    table(config);
}

/// The same under every mount. The router looks from the top: what is asked for most comes first, and a literal comes before an id.
fn table(config: &mut ServiceConfig) {
    let at = |path: &str| At::path(&path.replace("{id}", &id("id")));
    at("/orders").get(orders::list).post(orders::place).add(config);
    at("/orders/batch").post(orders::place_many).add(config);
    at("/orders/plan").post(orders::plan).add(config);
    at("/orders/{id}").get(orders::get).add(config);
    at("/orders/{id}/payments").post(orders::pay).add(config);
    at("/orders/{id}/shipments").post(orders::ship).add(config);
    at("/orders/{id}/deliver").post(orders::deliver).add(config);
    at("/orders/{id}/cancel").post(orders::cancel).add(config);
    at("/orders/{id}/returns").post(orders::return_goods).add(config);
    at("/orders/{id}/status").patch(orders::set_status).add(config);
    at("/orders/{id}/events").get(orders::history).add(config);
    at("/order-details").get(orders::details).add(config);

    at("/products").get(products::list).post(products::create).add(config);
    at("/products/batch").post(products::change_many).add(config);
    at("/products/{id}")
        .get(products::get)
        .put(products::replace)
        .patch(products::patch)
        .delete(products::archive)
        .add(config);

    at("/reservations").get(reservations::list).post(reservations::create).add(config);
    at("/reservations/{id}").get(reservations::get).delete(reservations::release).add(config);
    at("/reservations/{id}/extend").post(reservations::extend).add(config);

    at("/stock").get(stock::list).add(config);
    at("/stock/adjustments").post(adjustments::adjust).add(config);
    at("/warehouses").get(warehouses::list).post(warehouses::create).add(config);
    at("/warehouses/transfer").post(transfers::create).add(config);
    at("/warehouses/{id}").get(warehouses::get).patch(warehouses::patch).add(config);
    at("/warehouses/{id}/status").patch(warehouses::set_status).add(config);
    at(&format!("/warehouses/{{id}}/stock/{}", id("product_id")))
        .get(stock::get)
        .put(stock::recount)
        .patch(stock::set_policy)
        .add(config);

    at(&format!("/warehouses/{{id}}/stock/{}/explain", id("product_id")))
        .get(stock::explain)
        .add(config);
    at("/events").get(events::list).add(config);

    at("/transfers").get(transfers::list).add(config);
    at("/transfers/{id}").get(transfers::get).add(config);
    at("/transfers/{id}/receive").post(transfers::receive).add(config);
    at("/transfers/{id}/cancel").post(transfers::cancel).add(config);

    at("/shops").get(shops::list).post(shops::create).add(config);
    at("/shops/{id}").get(shops::get).patch(shops::patch).add(config);
    at("/shops/{id}/warehouses").get(shops::warehouses).put(shops::set_warehouses).add(config);
}

/// An id in a path: anything else there is a path that does not exist.
fn id(name: &str) -> String {
    format!("{{{name}:[1-9][0-9]{{0,15}}}}")
}

/// One path with all its methods. HEAD comes with GET, OPTIONS with everything; any other method is a 405 that says which there are.
struct At {
    resource: Resource,
    allow: Vec<&'static str>,
    is_gated: bool,
}

macro_rules! methods {
    ($($name:ident $method:literal $guard:expr;)*) => {$(
        fn $name<F, Args>(mut self, handler: F) -> Self
        where
            F: Handler<Args, Output = Result<HttpResponse, Problem>>,
            Args: FromRequest + 'static,
        {
            self.allow.push($method);
            let route = web::route().guard($guard);
            let route = match self.is_gated {
                true => route.to(Gate(handler)),
                false => route.to(handler),
            };
            self.resource = self.resource.route(route);
            self
        }
    )*};
}

impl At {
    fn path(path: &str) -> Self {
        Self { resource: web::resource(path), allow: Vec::new(), is_gated: true }
    }

    /// A path that whoever watches the server asks: everybody may, as often as they want.
    fn probe(path: &str) -> Self {
        Self { is_gated: false, ..Self::path(path) }
    }

    methods! {
        get "GET, HEAD" guard::Any(guard::Get()).or(guard::Head());
        post "POST" guard::Post();
        put "PUT" guard::Put();
        patch "PATCH" guard::Patch();
        delete "DELETE" guard::Delete();
    }

    fn add(self, config: &mut ServiceConfig) {
        let mut allow = self.allow.join(", ");
        allow.push_str(", OPTIONS");
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
