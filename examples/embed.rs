//! A shop inside another program: opens an engine on a directory, sells, and says what is left.
//!
//! `cargo run --example embed [DIRECTORY]`. Run it again on the same directory: what was sold stays sold.

use std::error::Error;

use futures_executor::block_on;
use stockade::{
    Config, Engine,
    domain::{
        Currency, ShopId, WarehouseId,
        catalogue::NewProduct,
        order::{LineQuantity, PlaceOrder},
    },
};

const SKU: &str = "RULER-30";

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args().nth(1);
    let config = directory.map_or_else(Config::in_memory, Config::new);
    let engine = Engine::open(config)?;
    let sold = block_on(sell(&engine));
    // Also when selling failed: the journal ends in order, and the next start is quicker.
    engine.shutdown()?;
    sold
}

async fn sell(engine: &Engine) -> Result<(), Box<dyn Error>> {
    let known = engine.catalogue().product_by_sku(SKU).cloned();
    let ruler = match known {
        Some(ruler) => ruler,
        None => {
            let ruler = NewProduct {
                sku: Some(SKU.into()),
                opening: Some((WarehouseId(1), 10)),
                ..NewProduct::new("ruler, 30 cm", 350, Currency::USD)
            };
            engine.create_product(ruler).await?
        }
    };
    let lines = vec![LineQuantity { product: ruler.id, quantity: 3 }];
    match engine.place_order(PlaceOrder::new(ShopId(1), lines)).await {
        Ok(order) => {
            let order = engine.pay_order(order.id(), None).await?;
            println!("order {}: {}", order.id(), Currency::USD.format(order.paid_amount));
        }
        Err(refused) => println!("no order: {refused}"),
    }
    let (on_hand, available) = engine.product_stock(ruler.id, None);
    println!("{}: {on_hand} on hand, {available} to sell", ruler.sku);
    Ok(())
}
