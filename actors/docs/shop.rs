// What the examples of `Engine` begin with: a shop whose clock stands still, with ten rulers at 3.50 in warehouse 1.

use std::{sync::Arc, time::Duration};

use stockade_actors::*;
use stockade_domain::{
    account::*, adjustment::*, catalogue::*, holder::*, order::*, sourcing::*, stock::*, transfer::*, *,
};

type Done = std::result::Result<(), Box<dyn std::error::Error>>;

async fn shop() -> std::result::Result<(Engine, ProductId), Box<dyn std::error::Error>> {
    let engine = Engine::open(Config::in_memory().with_virtual_clock(1_800_000_000_000))?;
    let opening = Some((WarehouseId(1), 10));
    let ruler = NewProduct { opening, ..NewProduct::new("ruler", 350, Currency::USD) };
    let ruler = engine.create_product(ruler).await?.id;
    Ok((engine, ruler))
}

/// An unpaid order.
async fn placed(engine: &Engine, product: ProductId, quantity: Quantity) -> std::result::Result<Order, Error> {
    engine.place_order(PlaceOrder::new(ShopId(1), vec![LineQuantity { product, quantity }])).await
}

/// A hold for a minute.
async fn held(engine: &Engine, product: ProductId, quantity: Quantity) -> std::result::Result<Hold, Error> {
    let lines = vec![LineQuantity { product, quantity }];
    let source = Source::Shop(ShopId(1));
    engine.reserve(PlaceHold { source, owner: None, scope: None, customer: None, lines, ttl_ms: 60_000, partial: false }).await
}

/// A second warehouse.
async fn depot(engine: &Engine) -> std::result::Result<WarehouseId, Error> {
    let depot = NewWarehouse { name: "depot".into(), ..NewWarehouse::default() };
    Ok(engine.create_warehouse(depot).await?.id)
}

/// Who Ann is. She has no password, so that nobody signs in by one.
fn ann() -> Personal {
    let (email, name) = (Some("ann@example.com".into()), Some("Ann".into()));
    Personal { email, name, ..Personal::default() }
}

/// The engine under the idempotency key of this number.
fn under(engine: &Engine, number: u8) -> Engine {
    let key = IdempotencyKey { key: [number; 16], request: 1 };
    engine.by(Context { key: Some(key), ..Context::default() })
}
