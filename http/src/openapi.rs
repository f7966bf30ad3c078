//! The OpenAPI document, generated from the handlers.
//!
//! A route gets its documentation in three steps; a test fails until all are done:
//!
//! 1. `#[derive(ToSchema)]` on what it reads and shows, its fields by the kinds of [`kinds`];
//! 2. `#[utoipa::path(get, path = "/things/{id}", tag = "things", responses(One<ThingView<'static>>))]` on the handler: the path as in
//!    the route table, only what is its own (queries, `request_body`, [`IfMatch`](answers::IfMatch), successes, conflicts);
//! 3. the handler under `paths` and what its answers show under `schemas` below.
//!
//! Ids in the path, the refusals that follow from what an operation takes, and their headers are added by [`complete`]; who may use
//! it, and the headers that callers bring, by [`callers`].

pub(crate) mod answers;
mod callers;
mod complete;
pub(crate) mod events;
pub(crate) mod kinds;
pub(crate) mod rows;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use utoipa::OpenApi;

use crate::{
    accounts, adjustments, api_keys, docs, events as feed, health, orders, problem::Problem,
    products, reservations, shops, stock, tokens, transfers, warehouses,
};

/// What lives under `/v1`.
#[derive(OpenApi)]
#[openapi(
    paths(
        products::list, products::create, products::change_many, products::get, products::replace, products::patch, products::archive,
        orders::list, orders::place, orders::place_many, orders::plan, orders::get, orders::history, orders::details,
        orders::pay, orders::ship, orders::deliver, orders::cancel, orders::return_goods, orders::refund, orders::set_status,
        reservations::list, reservations::create, reservations::get, reservations::extend, reservations::release,
        stock::list, stock::get, stock::explain, stock::recount, stock::set_policy, adjustments::adjust, adjustments::adjustment,
        transfers::create, transfers::list, transfers::get, transfers::receive, transfers::cancel,
        warehouses::list, warehouses::create, warehouses::get, warehouses::patch, warehouses::set_status,
        shops::list, shops::create, shops::get, shops::patch, shops::warehouses, shops::set_warehouses,
        feed::list,
        accounts::register, accounts::login, accounts::refresh, accounts::logout,
        accounts::get_profile, accounts::patch_profile, accounts::change_password,
        accounts::list, accounts::create, accounts::get, accounts::patch, accounts::erase,
        accounts::staff::list, accounts::staff::create, accounts::staff::get, accounts::staff::patch,
        api_keys::list, api_keys::create, api_keys::get, api_keys::revoke,
    ),
    components(schemas(
        products::ProductView<'static>, products::Results<'static>,
        orders::OrderView<'static>, orders::Detail, events::OrderEvent, orders::PlanView, orders::Results<'static>,
        reservations::HoldView<'static>,
        stock::RowView, stock::Explanation, adjustments::AdjustmentView, adjustments::Results,
        transfers::TransferView<'static>,
        warehouses::WarehouseView<'static>,
        shops::ShopView<'static>, shops::SetWarehousesBody, shops::WarehousesView,
        events::Event, feed::Data<'static>, events::EventOrder, events::EventProduct, events::EventReservation,
        feed::StockData, feed::AdjustmentData<'static>, feed::CustomerData,
        accounts::AccountView, accounts::TokensView<'static>, accounts::Stranger<'static>,
        api_keys::ApiKeyView<'static>,
        kinds::Profile, kinds::NoId, kinds::PriceBound, kinds::Id, kinds::Ids, kinds::Search, kinds::Skus, kinds::ProductSort, kinds::OrderSort, kinds::Bound, kinds::AsOf, kinds::EventType, kinds::Entity, kinds::Position, kinds::EventTypes,
    )),
)]
struct V1;

/// What lives at the root alone.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Stockade",
        description = "Takes orders, reserves their stock, and never sells what is not there.\n\n\
            Every answer has an `X-Request-Id`: the request's own, or a new one. Every refusal is `application/problem+json` \
            (RFC 9457) with a `code` to switch on. Unknown fields and parameters are refused. Amounts are exact decimals in JSON \
            strings; ids are numbers below 2^53. Lists are pages: follow `next_cursor`, or the `Link` header.\n\n\
            The same routes answer under `/api` and at the root, for clients of other systems.",
        license(name = "MIT", identifier = "MIT"),
    ),
    servers((url = "/", description = "This server")),
    paths(health::live, health::ready, health::health, docs::document, tokens::jwks),
    components(schemas(Problem, health::Word, health::Health, kinds::KeySet)),
    tags(
        (name = "products", description = "What is sold."),
        (name = "orders", description = "What was bought, and how far it has come."),
        (name = "reservations", description = "Units held for a while, without an order."),
        (name = "stock", description = "What is where, and its corrections."),
        (name = "transfers", description = "Stock on its way from one warehouse to another."),
        (name = "warehouses", description = "Where stock is."),
        (name = "shops", description = "What sells, in one currency, out of which warehouses."),
        (name = "events", description = "Everything that happened."),
        (name = "sign-in", description = "Who comes: from a password to tokens."),
        (name = "profile", description = "What callers see and change of themselves."),
        (name = "customers", description = "Who buys."),
        (name = "accounts", description = "Who works here and never was a customer."),
        (name = "api-keys", description = "By which machines sign in as staff."),
        (name = "server", description = "The server itself."),
    ),
)]
struct Root;

/// The document, as indented JSON.
#[must_use]
pub fn openapi() -> &'static str {
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
        let mut json = document(&callers::NOW).to_pretty_json().expect("a document is JSON");
        json.push('\n');
        json
    });
    &DOCUMENT
}

fn document(callers: &callers::Callers) -> utoipa::openapi::OpenApi {
    let mut document = Root::openapi().nest("/v1", V1::openapi());
    complete::complete(&mut document, callers);
    document
}
