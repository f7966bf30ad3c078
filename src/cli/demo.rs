//! `serve --demo`: a small shop to look at.

use stockade::{
    Engine,
    domain::{
        Currency, ShopId, StockKey, WarehouseId,
        adjustment::{Adjust, Reason},
        catalogue::{NewProduct, NewWarehouse, StockDelta},
        order::{LineQuantity, PlaceOrder},
    },
};

use super::Failure;

/// What is sold: sku, name, price in cents, units in the first and in the second warehouse.
const PRODUCTS: [(&str, &str, i64, u64, u64); 8] = [
    ("MUG-BLUE", "Mug, blue", 1_250, 40, 25),
    ("MUG-RED", "Mug, red", 1_250, 12, 0),
    ("TEAPOT", "Teapot, 1 l", 3_900, 8, 4),
    ("TRAY-OAK", "Tray, oak", 4_450, 5, 5),
    ("TEA-ASSAM", "Assam, 250 g", 990, 120, 80),
    ("TEA-SENCHA", "Sencha, 100 g", 1_490, 60, 0),
    ("KETTLE", "Kettle, steel", 5_900, 3, 1),
    ("POSTCARD", "Postcard", 150, 500, 0),
];

/// Fills an engine that has no products, and says what there is.
pub(super) async fn fill(engine: &Engine) -> Result<String, Failure> {
    if engine.catalogue().products_after(0).next().is_some() {
        return Ok("there are products already, nothing added".into());
    }
    let first = WarehouseId(1);
    let second = NewWarehouse { name: "Harbour".into(), ..NewWarehouse::default() };
    let second = engine.create_warehouse(second).await?.id;
    let mut more = Vec::new();
    let mut ids = Vec::new();
    for (sku, name, price, here, there) in PRODUCTS {
        let product = NewProduct {
            sku: Some(sku.into()),
            opening: Some((first, here)),
            ..NewProduct::new(name, price, Currency::USD)
        };
        let product = engine.create_product(product).await?.id;
        ids.push(product);
        if there > 0 {
            more.push(StockDelta { stock: StockKey::new(second, product), delta: there as i64 });
        }
    }
    let reference = Some("demo".into());
    engine.adjust(Adjust { deltas: more, reason: Reason::Received, reference }).await?;
    let line = |product: usize, quantity| LineQuantity { product: ids[product], quantity };
    let paid = vec![line(2, 1), line(4, 2)];
    let paid = engine.place_order(PlaceOrder::new(ShopId(1), paid)).await?;
    engine.pay_order(paid.id(), None).await?;
    engine.place_order(PlaceOrder::new(ShopId(1), vec![line(0, 3)])).await?;
    Ok(format!("{} products in 2 warehouses, a paid order and an unpaid one", PRODUCTS.len()))
}
