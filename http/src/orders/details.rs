use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use stockade_actors::Engine;
use stockade_domain::{
    CustomerId, OrderId, ProductId, Quantity, ShopId, WarehouseId, account::AccountId, order::Order,
};
use utoipa::ToSchema;

use super::{
    find,
    list::{Filters, Rank, Sorted, filter, read_rank, search, sort, write_rank},
};
use crate::{
    caller::Caller,
    money::{Code, Money},
    openapi::{
        answers::{Many, Paging},
        kinds,
    },
    page::Page,
    problem::Problem,
    query::Params,
    state::Shared,
    time::Time,
};

/// One line of one order, with what it names.
#[derive(Serialize, ToSchema)]
#[schema(
    as = OrderDetail,
    examples(json!({"order_id": 1, "line": 1, "placed_at": "2026-01-31T12:00:00.000Z", "status": "paid", "customer": {"id": 1, "name": "Ada", "email": "ada@example.com"}, "shop": {"id": 1, "name": "main"}, "product": {"id": 1, "sku": "MUG-BLUE", "name": "Mug, blue"}, "quantity": 2, "unit_price": "12.50", "line_total": "25.00", "total_price": "25.00", "currency": "USD", "allocations": [{"warehouse_id": 1, "warehouse": "main", "quantity": 2}]}))
)]
pub(crate) struct Detail {
    #[schema(value_type = kinds::Id)]
    order_id: OrderId,
    /// Which line of the order, from 1.
    line: usize,
    placed_at: Time,
    #[schema(value_type = kinds::OrderStatus)]
    status: &'static str,
    customer: Option<CustomerView>,
    shop: ShopName,
    product: ProductName,
    #[schema(value_type = kinds::Count)]
    quantity: Quantity,
    unit_price: Money,
    line_total: Money,
    total_price: Money,
    #[schema(value_type = Code)]
    currency: &'static str,
    allocations: Vec<Allocated>,
}

#[derive(Serialize, ToSchema)]
#[schema(
    as = OrderDetailCustomer,
    examples(json!({"id": 1, "name": "Ada", "email": "ada@example.com"}))
)]
struct CustomerView {
    #[schema(value_type = kinds::Id)]
    id: CustomerId,
    #[schema(value_type = Option<String>)]
    name: Option<Box<str>>,
    #[schema(value_type = Option<String>)]
    email: Option<Box<str>>,
}

#[derive(Serialize, ToSchema)]
#[schema(
    as = OrderDetailShop,
    examples(json!({"id": 1, "name": "main"}))
)]
struct ShopName {
    #[schema(value_type = kinds::Id)]
    id: ShopId,
    #[schema(value_type = Option<String>)]
    name: Option<Box<str>>,
}

#[derive(Serialize, ToSchema)]
#[schema(
    as = OrderDetailProduct,
    examples(json!({"id": 1, "sku": "MUG-BLUE", "name": "Mug, blue"}))
)]
struct ProductName {
    #[schema(value_type = kinds::Id)]
    id: ProductId,
    #[schema(value_type = Option<String>)]
    sku: Option<Box<str>>,
    #[schema(value_type = Option<String>)]
    name: Option<Box<str>>,
}

#[derive(Serialize, ToSchema)]
#[schema(
    as = OrderDetailAllocation,
    examples(json!({"warehouse_id": 1, "warehouse": "main", "quantity": 2}))
)]
struct Allocated {
    #[schema(value_type = kinds::Id)]
    warehouse_id: WarehouseId,
    #[schema(value_type = Option<String>)]
    warehouse: Option<Box<str>>,
    #[schema(value_type = kinds::Count)]
    quantity: Quantity,
}

/// Who bought; no more than the id of one who is erased, or who is kept elsewhere.
fn customer(engine: &Engine, id: CustomerId) -> CustomerView {
    let account = engine.account(AccountId::Customer(id));
    let person = account.and_then(|account| engine.personal(&account)).unwrap_or_default();
    CustomerView { id, name: person.name, email: person.email }
}

/// A line of an order in the list's order, and the first of its lines that was not shown yet.
type Position = (Rank, usize);

/// `GET /order-details`: orders joined with what they name, a row a line.
#[utoipa::path(
    get, path = "/order-details", tag = "orders",
    params(Paging, Filters),
    responses(Many<Detail>),
)]
pub(crate) async fn details(
    req: HttpRequest,
    state: Shared,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&req);
    let page = Page::of(&req, &mut params);
    let after = page.after(&mut params, |bytes| {
        let (rank, line) = bytes.split_at_checked(bytes.len().checked_sub(8)?)?;
        Some((read_rank(rank)?, u64::from_be_bytes(line.try_into().ok()?) as usize))
    });
    let sorted = sort(&mut params);
    let mut filter = filter(&mut params);
    params.finish()?;
    filter.customer = caller.customer_named(filter.customer)?;
    let (engine, wanted) = (state.engine.clone(), page.look_for());
    let look = move || {
        // The order that the page before ended in may have lines left. A cursor is only a text: it may name any order.
        let begun = after.and_then(|((_, id), _)| find(&engine, caller, id).ok());
        let rank = after.map(|(rank, _)| rank);
        let others = search(&engine, &filter, sorted, rank, wanted);
        let first = after.map_or(0, |(_, line)| line);
        rows(&engine, begun, first, others, sorted, wanted)
    };
    let rows = web::block(look).await.map_err(Problem::no_thread)?;
    let position = |((rank, line), _): &(Position, Detail)| {
        [write_rank(*rank), (*line as u64 + 1).to_be_bytes().to_vec()].concat()
    };
    Ok(page.answer(&req, &rows, position, |(_, detail)| detail))
}

/// The rows of the order that was begun from its line `first`, then those of the others.
fn rows(
    engine: &Engine,
    begun: Option<Order>,
    first: usize,
    others: Vec<Order>,
    sorted: Sorted,
    wanted: usize,
) -> Vec<(Position, Detail)> {
    let mut rows = Vec::new();
    let begun = begun.map(|order| (order, first));
    for (order, first) in begun.into_iter().chain(others.into_iter().map(|order| (order, 0))) {
        let rank = sorted.0.rank(&order);
        for line in first..order.placed.lines.len() {
            if rows.len() == wanted {
                return rows;
            }
            rows.push(((rank, line), detail(engine, &order, line)));
        }
    }
    rows
}

fn detail(engine: &Engine, order: &Order, index: usize) -> Detail {
    let placed = &*order.placed;
    let line = placed.lines[index];
    let catalogue = engine.catalogue();
    let product = catalogue.product(line.product);
    let mut allocations: Vec<Allocated> = Vec::with_capacity(1);
    for part in placed.allocations.iter().filter(|part| part.line as usize == index) {
        let (warehouse_id, quantity) = (part.warehouse, part.quantity);
        match allocations.iter_mut().find(|known| known.warehouse_id == warehouse_id) {
            Some(known) => known.quantity += quantity,
            None => {
                let warehouse = catalogue.warehouse(warehouse_id).ok();
                let warehouse = warehouse.map(|warehouse| warehouse.name.clone());
                allocations.push(Allocated { warehouse_id, warehouse, quantity });
            }
        }
    }
    let money = |amount| Money(amount, placed.currency);
    Detail {
        order_id: placed.id,
        line: index + 1,
        placed_at: Time(placed.at),
        status: order.status.name(),
        customer: placed.customer.map(|id| customer(engine, id)),
        shop: ShopName {
            id: placed.shop,
            name: catalogue.shop(placed.shop).ok().map(|shop| shop.name.clone()),
        },
        product: ProductName {
            id: line.product,
            sku: product.map(|product| product.sku.clone()),
            name: product.map(|product| product.name.clone()),
        },
        quantity: line.quantity,
        unit_price: money(line.unit_price),
        line_total: money(line.unit_price * line.quantity as i64),
        total_price: money(placed.total()),
        currency: placed.currency.code(),
        allocations,
    }
}
