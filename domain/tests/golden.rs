//! The stored format of events: these bytes are in journals out there, and must be read for ever.
//!
//! A new variant or field adds lines to `golden/events.txt`; a line that is there never changes. `STOCKADE_BLESS=1` writes
//! the lines that are missing.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use stockade_domain::{
    AdjustmentId, ApiKeyId, ClockEvent, Currency, CustomerId, Event, IdempotencyKey, KeySlot,
    OrderId, Origin, Owner, OwnerKind, ProductId, ReservationId, SessionId, ShopId, StockKey,
    Timestamp, TransferId, WarehouseId, Who,
    account::{
        Account, AccountEvent, AccountId, ApiKey, Fingerprint, Identity, Revoked, Role, Sealed,
        Session, TokenHash,
    },
    adjustment::{AdjustRow, Adjusted, AdjustmentEvent, Reason, RowsAdjusted},
    catalogue::{CatalogueEvent, Product, Shop, StockDelta, Warehouse},
    holder::{HoldEnded, HoldEvent, HoldPlaced, HolderKey},
    order::{
        Details, Given, Line, OrderEvent, Parcel, Payment, Placed, Release, Return, SealedDetails,
        ShipTo, Shipment,
    },
    sourcing::{Allocation, Rule, Sourcing},
    stock::{Give, StockEvent, Take},
    transfer::{Dispatched, TransferEvent},
};

const AT: Timestamp = Timestamp(1_800_000_000_000);
const STOCK: StockKey = StockKey { product: ProductId(300), warehouse: WarehouseId(2) };
const ORDER: OrderId = OrderId(70_000);
const HOLD: ReservationId = ReservationId(9);
const TRANSFER: TransferId = TransferId(4);

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<Box<str>, Box<str>> {
    pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
}

fn stock_events() -> Vec<(&'static str, Event)> {
    let (stock, owner, step, quantity) = (STOCK, Owner::order(ORDER), 0, 3);
    let entry = Owner::hold(HOLD);
    let taken = |take| Event::Stock(StockEvent::Taken { stock, owner, step, take });
    let given = |give| Event::Stock(StockEvent::Given { stock, owner, step: 2, give });
    let undone = StockEvent::Undone { stock, owner, step, take: Take::Reserve { quantity } };
    let recounted = StockEvent::Recounted { stock, from: 5, to: 7, reason: "count".into(), at: AT };
    let (safety_stock, backorder_limit) = (1, 20);
    let policy = StockEvent::PolicyChanged { stock, safety_stock, backorder_limit, at: AT };
    vec![
        ("stock.taken.reserve", taken(Take::Reserve { quantity })),
        ("stock.taken.consume", taken(Take::Consume { entry, quantity })),
        ("stock.taken.transfer_out", taken(Take::TransferOut { quantity })),
        ("stock.taken.minus", taken(Take::Minus { quantity })),
        ("stock.undone", undone.into()),
        ("stock.given.release", given(Give::Release { entry, quantity })),
        ("stock.given.plus", given(Give::Plus { quantity })),
        ("stock.given.restock", given(Give::Restock { quantity })),
        ("stock.given.transfer_in", given(Give::TransferIn { quantity })),
        ("stock.given.expect", given(Give::Expect { quantity })),
        ("stock.given.arrive", given(Give::Arrive { received: 2, missing: 1 })),
        ("stock.recounted", recounted.into()),
        ("stock.policy_changed", policy.into()),
    ]
}

fn placed(details: Option<Box<Details>>) -> Event {
    let allocation =
        Allocation { line: 0, warehouse: WarehouseId(2), hold: Some(HOLD), quantity: 3 };
    OrderEvent::Placed(Arc::new(Placed {
        id: ORDER,
        customer: Some(CustomerId(11)),
        shop: ShopId(1),
        currency: Currency::GBP,
        at: AT,
        payment_deadline_ms: 1_800_000,
        priced_at: 42,
        lines: vec![Line { product: ProductId(300), quantity: 3, unit_price: 1_250 }],
        allocations: vec![allocation],
        details,
    }))
    .into()
}

fn order_events() -> Vec<(&'static str, Event)> {
    let (order, step, at) = (ORDER, 1, AT);
    let parcels = vec![Parcel { allocation: 0, quantity: 2 }];
    let release = Release { stock: STOCK, entry: Owner::order(ORDER), quantity: 2 };
    let given = Given {
        order,
        step,
        at,
        reason: Some("late".into()),
        refund: 500,
        parcels: parcels.clone(),
        releases: vec![release],
    };
    let details = Details {
        ship_to: Some(ShipTo { latitude_e6: 51_500_000, longitude_e6: -120_000 }),
        note: Some("ring twice".into()),
        reference: Some("A-1".into()),
        metadata: texts(&[("channel", "web")]),
    };
    let personal = SealedDetails { key: KeySlot(12), sealed: Sealed([1, 2, 3].into()) };
    let payment = Payment { amount: 3_750, at, method: Some("card".into()), reference: None };
    let (carrier, tracking) = (Some("post".into()), None);
    let shipment = Box::new(Shipment { parcels: parcels.clone(), carrier, tracking, at });
    let returned = Box::new(Return { parcels, restocked: true, reason: None, at });
    let restock = vec![(STOCK, 2)];
    vec![
        ("order.placed", placed(None)),
        ("order.placed.details", placed(Some(Box::new(details)))),
        (
            "order.payment_recorded",
            OrderEvent::PaymentRecorded { order, payment: Box::new(payment) }.into(),
        ),
        ("order.paid", OrderEvent::Paid { order, at }.into()),
        ("order.expired", OrderEvent::Expired(Box::new(given.clone())).into()),
        ("order.cancelled", OrderEvent::Cancelled(Box::new(given)).into()),
        ("order.shipped", OrderEvent::Shipped { order, step, shipment }.into()),
        ("order.delivered", OrderEvent::Delivered { order, at }.into()),
        (
            "order.returned",
            OrderEvent::Returned { order, step, returned, refund: 2_500, restock }.into(),
        ),
        ("order.refunded", OrderEvent::Refunded { order, amount: 2_500, at }.into()),
        ("order.personal", OrderEvent::Personal { order, personal: Box::new(personal) }.into()),
    ]
}

fn hold_events() -> Vec<(&'static str, Event)> {
    let (hold, order, step, at) = (HOLD, ORDER, 1, AT);
    let release = Release { stock: STOCK, entry: Owner::hold(HOLD), quantity: 1 };
    let placed = |key| {
        let allocation = Allocation { line: 0, warehouse: WarehouseId(2), hold: None, quantity: 3 };
        let placed = HoldPlaced {
            id: HOLD,
            key,
            owner: Some("cart".into()),
            lines: vec![(ProductId(300), 3)],
            allocations: vec![allocation],
            expires_at: AT.plus_ms(900_000),
            at,
            replaces: vec![ReservationId(8)],
            surplus: vec![release],
        };
        Event::from(HoldEvent::Placed(Box::new(placed)))
    };
    let ended = HoldEnded { hold, step, at, releases: vec![release] };
    let surplus = vec![release];
    vec![
        ("hold.placed.single", placed(HolderKey::Single(HOLD))),
        ("hold.placed.named", placed(HolderKey::Named("cart".into()))),
        ("hold.placed.customer", placed(HolderKey::Customer(CustomerId(11)))),
        ("hold.extended", HoldEvent::Extended { hold, expires_at: at, at }.into()),
        ("hold.claimed", HoldEvent::Claimed { hold, order }.into()),
        ("hold.unclaimed", HoldEvent::Unclaimed { hold, order }.into()),
        ("hold.converted", HoldEvent::Converted { hold, order, step, surplus, at }.into()),
        ("hold.released", HoldEvent::Released(Box::new(ended.clone())).into()),
        ("hold.expired", HoldEvent::Expired(Box::new(ended)).into()),
    ]
}

fn catalogue_events() -> Vec<(&'static str, Event)> {
    let product = Arc::new(Product {
        id: ProductId(300),
        sku: "RULER-30".into(),
        name: "Ruler".into(),
        description: "30 cm".into(),
        price: 350,
        currency: Currency::USD,
        shops: [ShopId(1)].into(),
        attributes: texts(&[("length", "30")]),
        reference: None,
        metadata: texts(&[]),
        archived: false,
        version: 2,
        created_at: AT,
        updated_at: AT,
    });
    let shop = Arc::new(Shop {
        id: ShopId(1),
        name: "main".into(),
        currency: Currency::USD,
        payment_deadline_ms: 1_800_000,
        sourcing: Sourcing { rule: Rule::Nearest, split_lines: false },
        warehouses: Some(vec![WarehouseId(2), WarehouseId(1)]),
        version: 1,
        created_at: AT,
        updated_at: AT,
    });
    let warehouse = Arc::new(Warehouse {
        id: WarehouseId(2),
        name: "north".into(),
        country: Some("GB".into()),
        place_e6: Some((51_500_000, -120_000)),
        active: true,
        version: 1,
        created_at: AT,
        updated_at: AT,
    });
    let recount = Some(StockDelta { stock: STOCK, delta: -4 });
    let opening = Some((STOCK, 35));
    let products = |product: &Arc<Product>| product.clone();
    vec![
        (
            "product.created",
            CatalogueEvent::ProductCreated { product: products(&product), opening }.into(),
        ),
        (
            "product.updated",
            CatalogueEvent::ProductUpdated { product: products(&product), recount }.into(),
        ),
        ("product.archived", CatalogueEvent::ProductArchived { product }.into()),
        ("shop.created", CatalogueEvent::ShopCreated(shop.clone()).into()),
        ("shop.updated", CatalogueEvent::ShopUpdated(shop).into()),
        ("warehouse.created", CatalogueEvent::WarehouseCreated(warehouse.clone()).into()),
        ("warehouse.updated", CatalogueEvent::WarehouseUpdated(warehouse.clone()).into()),
        ("warehouse.status_changed", CatalogueEvent::WarehouseStatusChanged(warehouse).into()),
    ]
}

fn other_events() -> Vec<(&'static str, Event)> {
    let dispatched = Dispatched {
        id: TRANSFER,
        product: ProductId(300),
        from: WarehouseId(2),
        to: WarehouseId(1),
        quantity: 6,
        in_transit: true,
        at: AT,
    };
    let received = TransferEvent::Received {
        transfer: TRANSFER,
        step: 1,
        stock: STOCK,
        received: 4,
        missing: 1,
        reason: Some("broken".into()),
        at: AT,
    };
    let cancelled = TransferEvent::Cancelled {
        transfer: TRANSFER,
        step: 2,
        to: STOCK,
        from: STOCK,
        quantity: 1,
        restock: true,
        reason: None,
        at: AT,
    };
    let adjusted = Adjusted {
        id: AdjustmentId(5),
        deltas: vec![StockDelta { stock: STOCK, delta: -2 }],
        reason: Reason::Damaged,
        reference: Some("R-9".into()),
        at: AT,
    };
    let believed = ClockEvent::Believed { from: AT, before: AT, after: AT.plus_ms(3_600_000) };
    let rows = RowsAdjusted {
        id: AdjustmentId(6),
        deltas: vec![StockDelta { stock: STOCK, delta: -1 }],
        rows: vec![AdjustRow {
            stock: STOCK,
            delta: -1,
            reason: Reason::Lost,
            reference: Some("R-10".into()),
        }],
        at: AT,
    };
    vec![
        ("transfer.dispatched", TransferEvent::Dispatched(Box::new(dispatched)).into()),
        ("transfer.received", received.into()),
        ("transfer.cancelled", cancelled.into()),
        ("adjustment.adjusted", AdjustmentEvent::Adjusted(Box::new(adjusted)).into()),
        ("adjustment.rows_adjusted", AdjustmentEvent::RowsAdjusted(Box::new(rows)).into()),
        ("ids.leased", Event::IdsLeased { kind: OwnerKind::Transfer, up_to: 4_097 }),
        ("clock.frozen", ClockEvent::Frozen { from: AT }.into()),
        ("clock.believed", believed.into()),
    ]
}

fn account_events() -> Vec<(&'static str, Event)> {
    let (id, at) = (AccountId::Customer(CustomerId(11)), AT);
    let account = |role, identity| {
        let (key, version) = (KeySlot(12), 2);
        Arc::new(Account { id, role, key, identity, version, created_at: AT, updated_at: AT })
    };
    let identity = Identity {
        sealed: Sealed([1, 2, 3].into()),
        email: Some(Fingerprint([4; 16])),
        username: None,
    };
    let known = account(Role::Customer, Some(identity.clone()));
    let admin =
        Account { id: AccountId::Account(1), ..(*account(Role::Admin, Some(identity))).clone() };
    let (family, token) = (TokenHash([5; 16]), TokenHash([6; 16]));
    let (session, expires_at) = (SessionId(7), AT.plus_ms(1_000));
    let opened = Session { id: session, family, token, opened_at: AT, expires_at };
    let key = ApiKey { id: ApiKeyId(3), name: "gateway".into(), token, created_at: AT };
    let (account, why) = (id, Revoked::Reused);
    let events = [
        ("account.registered", AccountEvent::Registered(known.clone())),
        ("account.registered.admin", AccountEvent::Registered(Arc::new(admin))),
        ("account.updated", AccountEvent::Updated(known.clone())),
        ("account.password_changed", AccountEvent::PasswordChanged(known.clone())),
        ("account.role_changed", AccountEvent::RoleChanged(known.clone())),
        (
            "account.erased",
            AccountEvent::Erased(Arc::new(Account { identity: None, ..(*known).clone() })),
        ),
        ("account.session_opened", AccountEvent::SessionOpened { account, session: opened }),
        (
            "account.session_rotated",
            AccountEvent::SessionRotated { account, session, token, at, expires_at },
        ),
        ("account.session_revoked", AccountEvent::SessionRevoked { account, session, why, at }),
        (
            "account.sessions_revoked",
            AccountEvent::SessionsRevoked { account, why: Revoked::Replaced, at },
        ),
        ("account.api_key_created", AccountEvent::ApiKeyCreated(Arc::new(key))),
        ("account.api_key_revoked", AccountEvent::ApiKeyRevoked { id: ApiKeyId(3), at }),
    ];
    events.into_iter().map(|(name, event)| (name, event.into())).collect()
}

fn origins() -> Vec<(&'static str, Event)> {
    let origin = |who, key, covers| Event::Origin(Origin { who, key, covers });
    let key = Some(IdempotencyKey { key: [0xA7; 16], request: 1 << 63 });
    vec![
        ("origin.customer", origin(Some(Who::Customer(CustomerId(12))), None, 1)),
        ("origin.account", origin(Some(Who::Account(300)), key, 2)),
        ("origin.api_key", origin(Some(Who::ApiKey(1)), None, 5_000)),
        ("origin.nobody", origin(None, key, 1)),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(hex: &str) -> Vec<u8> {
    let digit = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("two hexadecimal digits");
    (0..hex.len()).step_by(2).map(digit).collect()
}

#[test]
fn events_are_stored_as_they_always_were() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/events.txt");
    let golden = fs::read_to_string(&path).unwrap_or_default();
    let golden: BTreeMap<&str, &str> =
        golden.lines().filter_map(|line| line.split_once(' ')).collect();
    let samples = [
        stock_events(),
        order_events(),
        hold_events(),
        catalogue_events(),
        other_events(),
        account_events(),
        origins(),
    ]
    .concat();
    let config = bincode::config::standard();
    let mut text = String::new();
    for (name, event) in &samples {
        let bytes = bincode::serde::encode_to_vec(event, config).expect("an event can be written");
        let known = golden.get(name).map_or_else(|| hex(&bytes), |known| (*known).to_owned());
        assert_eq!(hex(&bytes), known, "{name} is written differently than before");
        let (read, used): (Event, usize) =
            bincode::serde::decode_from_slice(&unhex(&known), config).expect("it can be read");
        assert_eq!((&read, used), (event, bytes.len()), "{name}");
        text += &format!("{name} {known}\n");
    }
    if std::env::var_os("STOCKADE_BLESS").is_some() {
        fs::write(&path, text).expect("the golden file can be written");
    } else {
        assert_eq!(golden.len(), samples.len(), "run with STOCKADE_BLESS=1 to add what is missing");
    }
}
