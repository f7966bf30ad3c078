//! What the small engine begins with, and how its catalogue changes.

use std::collections::BTreeSet;

use stockade_domain::{
    Amount, Currency, Event, Owner, ProductId, ShopId, WarehouseId,
    adjustment::takes,
    catalogue::{
        CatalogueCommand, NewProduct, NewShop, NewWarehouse, ProductChange, ShopChange, StockDelta,
        WarehouseChange,
    },
    sourcing::{Rule, Sourcing},
};

use super::{
    ops::Op,
    workflows::{Done, key},
    world::World,
};

pub(crate) fn product(name: &str, price: Amount) -> NewProduct {
    NewProduct {
        sku: None,
        name: name.into(),
        description: String::new(),
        price,
        currency: Currency::USD,
        shops: BTreeSet::new(),
        attributes: [("colour".into(), "red".into())].into(),
        reference: None,
        metadata: Default::default(),
        opening: None,
    }
}

pub(crate) fn commands() -> Vec<CatalogueCommand> {
    let warehouse = |name: &str, place_e6| {
        let name = name.into();
        CatalogueCommand::CreateWarehouse(NewWarehouse { name, country: None, place_e6 })
    };
    let shop = |rule, warehouses: Option<&[u64]>| {
        CatalogueCommand::CreateShop(NewShop {
            name: "shop".into(),
            currency: Currency::USD,
            payment_deadline_ms: 40_000,
            sourcing: Sourcing { rule, split_lines: true },
            warehouses: warehouses.map(|ids| ids.iter().copied().map(WarehouseId).collect()),
        })
    };
    let stocked = |name, price, warehouse, quantity| {
        let opening = Some((WarehouseId(warehouse), quantity));
        CatalogueCommand::CreateProduct(NewProduct { opening, ..product(name, price) })
    };
    vec![
        warehouse("first", Some((1, 2))),
        warehouse("second", None),
        warehouse("third", Some((3, 4))),
        shop(Rule::Priority, None),
        shop(Rule::MostStock, Some(&[3, 1])),
        stocked("one", 70, 1, 20),
        stocked("two", 10, 2, 9),
        stocked("three", 5, 3, 9),
        stocked("free", 0, 1, 9),
    ]
}

impl World {
    pub(crate) fn on_catalogue(&mut self, op: &Op) -> Done {
        match op {
            Op::NewProduct { price, opening } => {
                let opening = opening.map(|(warehouse, n)| (WarehouseId(warehouse), n));
                let new = product("more", *price);
                let new = stockade_domain::catalogue::NewProduct { opening, ..new };
                self.command(&CatalogueCommand::CreateProduct(new))
            }
            Op::ChangeProduct { product, archived, recount, price } => {
                let delta =
                    |(warehouse, delta)| StockDelta { stock: key(warehouse, *product), delta };
                let change = ProductChange {
                    archived: *archived,
                    recount: recount.map(delta),
                    price: Some(*price),
                    ..ProductChange::default()
                };
                let id = ProductId(*product);
                let command = CatalogueCommand::ChangeProduct { id, expected: None, change };
                self.change_product(id, &command)
            }
            Op::Warehouse { warehouse, active } => {
                let change =
                    WarehouseChange { active: Some(*active), ..WarehouseChange::default() };
                let id = WarehouseId(*warehouse);
                self.command(&CatalogueCommand::ChangeWarehouse { id, expected: None, change })
            }
            Op::Shop { shop, rule, split, warehouses } => {
                let rules = [Rule::Priority, Rule::MostStock, Rule::Nearest, Rule::SingleWarehouse];
                let rule = rules[usize::from(*rule) % rules.len()];
                let warehouses = warehouses.iter().copied().map(WarehouseId).collect();
                let change = ShopChange {
                    rule: Some(rule),
                    split_lines: Some(*split),
                    warehouses: Some(warehouses),
                    ..ShopChange::default()
                };
                let id = ShopId(*shop);
                self.command(&CatalogueCommand::ChangeShop { id, expected: None, change })
            }
            other => panic!("{other:?} is not the catalogue's"),
        }
    }

    /// A change of a product with a correction of its stock: the minus first, as the product's next version.
    fn change_product(&mut self, id: ProductId, command: &CatalogueCommand) -> Done {
        let CatalogueCommand::ChangeProduct { change, .. } = command else { unreachable!() };
        let Some(product) = self.catalogue.product(id) else {
            return self.command(command);
        };
        let (owner, step) = (Owner::product(id), product.version + 1);
        let taken: Vec<_> = takes(change.recount.as_slice()).collect();
        self.take_all(owner, step, &taken, None)?;
        let decided = self.command(command);
        if decided.is_err() {
            self.undo_all(owner, step, &taken);
        }
        decided
    }

    pub(crate) fn command(&mut self, command: &CatalogueCommand) -> Done {
        let event = self.catalogue.decide(command, self.now)?;
        self.decide(event.into_iter().map(Event::from).collect());
        Ok(())
    }
}
