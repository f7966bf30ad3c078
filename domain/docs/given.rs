// What the examples begin with: a catalogue with one product (ruler, 3.50) in one shop and one warehouse, and what may be there already.

use std::sync::Arc;

use stockade_domain::{
    account::*, adjustment::*, catalogue::*, holder::*, invariants::*, ledger::*, open::*, order::*,
    sourcing::*, stock::*, transfer::*, *,
};

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const RULER: ProductId = ProductId(1);
const MAIN: WarehouseId = WarehouseId(1);
const SHOP: ShopId = ShopId(1);

fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue::default();
    for command in [
        CatalogueCommand::CreateWarehouse(NewWarehouse { name: "main".into(), ..NewWarehouse::default() }),
        CatalogueCommand::CreateShop(NewShop::new("main", Currency::USD)),
        CatalogueCommand::CreateProduct(NewProduct::new("ruler", 350, Currency::USD)),
    ] {
        let event = catalogue.decide(&command, NOW).unwrap().unwrap();
        catalogue.evolve(&event);
    }
    catalogue
}

/// The stock of rulers.
fn key() -> StockKey {
    StockKey::new(MAIN, RULER)
}

/// So many rulers, none promised.
fn stocked(quantity: Quantity) -> Stock {
    let mut stock = Stock::default();
    let give = Give::Plus { quantity };
    let owner = Owner::adjustment(AdjustmentId(1));
    stock.evolve(&StockEvent::Given { stock: key(), owner, step: 0, give });
    stock
}

fn rulers(quantity: Quantity) -> Vec<LineQuantity> {
    vec![LineQuantity { product: RULER, quantity }]
}

/// Units of the first line, from the main warehouse.
fn from_main(quantity: Quantity) -> Vec<Allocation> {
    vec![Allocation { line: 0, warehouse: MAIN, hold: None, quantity }]
}

/// Order 5: three rulers, unpaid.
fn placed() -> Order {
    let request = PlaceOrder::new(SHOP, rulers(3));
    let quote = request.quote(&catalogue(), 0).unwrap();
    Order::new(Arc::new(quote.place(request, OrderId(5), from_main(3), NOW)))
}

/// An order after a command that was granted.
fn after(mut order: Order, command: OrderCommand) -> Order {
    order.decide(&command, NOW).unwrap().iter().for_each(|event| order.evolve(event));
    order
}

fn pay() -> OrderCommand {
    OrderCommand::Pay { amount: None, method: None, reference: None }
}

fn ship() -> OrderCommand {
    OrderCommand::Ship { lines: None, carrier: None, tracking: None }
}

fn cancel() -> OrderCommand {
    OrderCommand::Cancel { lines: None, reason: None }
}

/// Of nobody in particular, for a minute.
fn to_hold(quantity: Quantity) -> PlaceHold {
    let source = Source::Shop(SHOP);
    PlaceHold { source, owner: None, scope: None, customer: None, lines: rulers(quantity), ttl_ms: 60_000, partial: false }
}

/// A holder with hold 7: three rulers.
fn holder() -> Holder {
    let mut holder = Holder::default();
    let event = holder.place(ReservationId(7), &to_hold(3), vec![(RULER, 3)], from_main(3), NOW);
    holder.evolve(&event);
    holder
}

/// Transfer 2: four rulers on the road from warehouse 1 to warehouse 2.
fn dispatched() -> Dispatched {
    Dispatched {
        id: TransferId(2),
        product: RULER,
        from: MAIN,
        to: WarehouseId(2),
        quantity: 4,
        in_transit: true,
        at: NOW,
    }
}

const ANN: AccountId = AccountId::Customer(CustomerId(1));
const ROOT: AccountId = AccountId::Account(1);

/// Of the login of this number: whoever seals makes it of the login and a secret.
fn login(number: u8) -> Fingerprint {
    Fingerprint([number; 16])
}

/// A person with this login, sealed.
fn person(number: u8) -> Identity {
    Identity { sealed: Sealed([7; 30].into()), email: Some(login(number)), username: None }
}

/// Of the token of this number.
fn token(number: u8) -> TokenHash {
    TokenHash([number; 16])
}

/// Signs Ann in for a minute, by token 1 of family 9.
fn sign_in() -> AccountCommand {
    AccountCommand::OpenSession { id: ANN, family: token(9), token: token(1), ttl_ms: 60_000 }
}

/// Exchanges a token of Ann's session 1.
fn rotate(presented: u8, next: u8) -> AccountCommand {
    AccountCommand::RotateSession {
        id: ANN,
        session: SessionId(1),
        family: token(9),
        presented: token(presented),
        next: token(next),
        ttl_ms: 60_000,
    }
}

/// Makes the API key of a machine.
fn create_key(name: &str) -> AccountCommand {
    AccountCommand::CreateApiKey { name: name.into(), token: token(5) }
}

/// Accounts after a command that was granted.
fn granted(mut accounts: Accounts, command: AccountCommand) -> Accounts {
    accounts.decide(&command, NOW).unwrap().iter().for_each(|event| accounts.evolve(event));
    accounts
}

/// Ann, a customer with login 1, and the admin with login 2.
fn accounts() -> Accounts {
    let register = |role, key, login| AccountCommand::Register { role, key: KeySlot(key), above: 0, identity: person(login) };
    let accounts = granted(Accounts::default(), register(Role::Customer, 1, 1));
    granted(accounts, register(Role::Admin, 2, 2))
}

/// One row of an adjustment of the rulers.
fn row(delta: i64, reason: Reason) -> AdjustRow {
    AdjustRow { stock: key(), delta, reason, reference: None }
}
