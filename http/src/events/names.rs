use stockade_domain::{
    Event, OrderId, OwnerKind, StockKey,
    account::{Account, AccountEvent, AccountId},
    adjustment::AdjustmentEvent,
    catalogue::CatalogueEvent,
    holder::HoldEvent,
    order::{OrderEvent, Status},
    stock::{Give, StockEvent, Take},
    transfer::TransferEvent,
};

/// Every type there is, or will be: the list is closed, and only grows.
pub(crate) const TYPES: &[&str] = &[
    "product.created",
    "product.updated",
    "product.archived",
    "shop.created",
    "shop.updated",
    "warehouse.created",
    "warehouse.updated",
    "warehouse.status_changed",
    "stock.adjusted",
    "stock.recounted",
    "stock.policy_changed",
    "stock.reserved",
    "stock.released",
    "stock.shipped",
    "stock.returned",
    "stock.transferred_out",
    "stock.transferred_in",
    "transfer.dispatched",
    "transfer.received",
    "transfer.cancelled",
    "reservation.created",
    "reservation.extended",
    "reservation.released",
    "reservation.expired",
    "reservation.converted",
    "order.placed",
    "order.payment_recorded",
    "order.paid",
    "order.partially_shipped",
    "order.shipped",
    "order.delivered",
    "order.cancelled",
    "order.expired",
    "order.returned",
    "order.refunded",
    "customer.registered",
    "customer.updated",
    "customer.role_changed",
    "customer.erased",
    "waitlist.joined",
    "waitlist.granted",
    "waitlist.expired",
];

/// What an event may be called: nothing if it is the engine's own business. A shipment is named by what it leaves open.
pub(crate) fn names(event: &Event) -> &'static [&'static str] {
    match event {
        Event::Stock(event) => stock(event),
        Event::Order(event) => order(event),
        Event::Hold(event) => match event {
            HoldEvent::Placed(_) => &["reservation.created"],
            HoldEvent::Extended { .. } => &["reservation.extended"],
            HoldEvent::Converted { .. } => &["reservation.converted"],
            HoldEvent::Released(_) => &["reservation.released"],
            HoldEvent::Expired(_) => &["reservation.expired"],
            HoldEvent::Claimed { .. } | HoldEvent::Unclaimed { .. } => &[],
        },
        Event::Catalogue(event) => match event {
            CatalogueEvent::ProductCreated { .. } => &["product.created"],
            CatalogueEvent::ProductUpdated { .. } => &["product.updated"],
            CatalogueEvent::ProductArchived { .. } => &["product.archived"],
            CatalogueEvent::ShopCreated(_) => &["shop.created"],
            CatalogueEvent::ShopUpdated(_) => &["shop.updated"],
            CatalogueEvent::WarehouseCreated(_) => &["warehouse.created"],
            CatalogueEvent::WarehouseUpdated(_) => &["warehouse.updated"],
            CatalogueEvent::WarehouseStatusChanged(_) => &["warehouse.status_changed"],
        },
        Event::Transfer(event) => match event {
            TransferEvent::Dispatched(_) => &["transfer.dispatched"],
            TransferEvent::Received { .. } => &["transfer.received"],
            TransferEvent::Cancelled { .. } => &["transfer.cancelled"],
        },
        Event::Adjustment(AdjustmentEvent::Adjusted(_) | AdjustmentEvent::RowsAdjusted(_)) => {
            &["stock.adjusted"]
        }
        // What staff accounts do among themselves, sessions and keys are nobody's news.
        Event::Account(event) if customer(event).is_none() => &[],
        Event::Account(event) => match event {
            AccountEvent::Registered(_) => &["customer.registered"],
            AccountEvent::RoleChanged(_) => &["customer.role_changed"],
            AccountEvent::Erased(_) => &["customer.erased"],
            _ => &["customer.updated"],
        },
        Event::IdsLeased { .. } | Event::Clock(_) | Event::Origin(_) => &[],
    }
}

/// The customer that an event among the accounts is about.
pub(crate) fn customer(event: &AccountEvent) -> Option<&Account> {
    match event {
        AccountEvent::Registered(account)
        | AccountEvent::Updated(account)
        | AccountEvent::PasswordChanged(account)
        | AccountEvent::RoleChanged(account)
        | AccountEvent::Erased(account) => {
            matches!(account.id, AccountId::Customer(_)).then_some(account)
        }
        AccountEvent::SessionOpened { .. }
        | AccountEvent::SessionRotated { .. }
        | AccountEvent::SessionRevoked { .. }
        | AccountEvent::SessionsRevoked { .. }
        | AccountEvent::ApiKeyCreated(_)
        | AccountEvent::ApiKeyRevoked { .. } => None,
    }
}

fn order(event: &OrderEvent) -> &'static [&'static str] {
    match event {
        OrderEvent::Placed(_) => &["order.placed"],
        OrderEvent::PaymentRecorded { .. } => &["order.payment_recorded"],
        OrderEvent::Paid { .. } => &["order.paid"],
        OrderEvent::Expired(_) => &["order.expired"],
        OrderEvent::Cancelled(_) => &["order.cancelled"],
        OrderEvent::Shipped { .. } => &["order.shipped", "order.partially_shipped"],
        OrderEvent::Delivered { .. } => &["order.delivered"],
        OrderEvent::Returned { .. } => &["order.returned"],
        OrderEvent::Refunded { .. } => &["order.refunded"],
        // A part of its placing, that only stands apart because it is sealed.
        OrderEvent::Personal { .. } => &[],
    }
}

/// The type of an order's event, after which it has this status.
pub(crate) fn of_order(event: &OrderEvent, after: Status) -> &'static str {
    match order(event) {
        [_, partly] if after == Status::PartiallyShipped => partly,
        names => names.first().copied().unwrap_or_default(),
    }
}

/// An undo is named after what it does. What an adjustment does at each stock is told once, by the adjustment itself.
fn stock(event: &StockEvent) -> &'static [&'static str] {
    match event {
        StockEvent::Taken { take, owner, .. } => match take {
            Take::Reserve { .. } => &["stock.reserved"],
            Take::Consume { .. } => &["stock.shipped"],
            Take::TransferOut { .. } => &["stock.transferred_out"],
            Take::Minus { .. } if owner.kind() == OwnerKind::Adjustment => &[],
            Take::Minus { .. } => &["stock.adjusted"],
        },
        StockEvent::Undone { take, owner, .. } => match take {
            Take::Reserve { .. } => &["stock.released"],
            Take::Consume { .. } => &["stock.returned"],
            Take::TransferOut { .. } => &["stock.transferred_in"],
            Take::Minus { .. } if owner.kind() == OwnerKind::Adjustment => &[],
            Take::Minus { .. } => &["stock.adjusted"],
        },
        StockEvent::Given { give, owner, .. } => match give {
            Give::Release { .. } => &["stock.released"],
            Give::Plus { .. } if owner.kind() == OwnerKind::Adjustment => &[],
            Give::Plus { .. } => &["stock.adjusted"],
            Give::Restock { .. } => &["stock.returned"],
            Give::TransferIn { .. } | Give::Arrive { received: 1.., .. } => {
                &["stock.transferred_in"]
            }
            // The transfer tells what is on the road, and what will never come.
            Give::Expect { .. } | Give::Arrive { received: 0, .. } => &[],
        },
        StockEvent::Recounted { .. } => &["stock.recounted"],
        StockEvent::PolicyChanged { .. } => &["stock.policy_changed"],
    }
}

/// Something that events are about: `order/7`, `stock/1/3` (warehouse and product).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entity {
    kind: &'static str,
    id: u64,
    /// Of a stock: its product.
    product: u64,
}

impl Entity {
    fn new(kind: &'static str, id: u64) -> Self {
        Self { kind, id, product: 0 }
    }

    /// An order.
    pub(crate) fn of_order(id: OrderId) -> Self {
        Self::new("order", id.0)
    }

    /// A stock.
    pub(crate) fn stock(key: StockKey) -> Self {
        Self { kind: "stock", id: key.warehouse.0, product: key.product.0 }
    }

    /// The thing that an event happened to.
    pub(crate) fn of(event: &Event) -> Self {
        match event {
            Event::Stock(event) => Self::stock(event.stock()),
            Event::Order(event) => Self::new("order", event.order().0),
            Event::Hold(event) => Self::new("reservation", event.hold().0),
            Event::Transfer(event) => Self::new("transfer", event.transfer().0),
            Event::Adjustment(event) => Self::new("adjustment", event.adjustment().0),
            Event::Catalogue(event) => match event {
                CatalogueEvent::ProductCreated { product, .. }
                | CatalogueEvent::ProductUpdated { product, .. }
                | CatalogueEvent::ProductArchived { product } => Self::new("product", product.id.0),
                CatalogueEvent::ShopCreated(shop) | CatalogueEvent::ShopUpdated(shop) => {
                    Self::new("shop", shop.id.0)
                }
                CatalogueEvent::WarehouseCreated(place)
                | CatalogueEvent::WarehouseUpdated(place)
                | CatalogueEvent::WarehouseStatusChanged(place) => {
                    Self::new("warehouse", place.id.0)
                }
            },
            Event::Account(event) => match customer(event).map(|account| account.id) {
                Some(AccountId::Customer(id)) => Self::new("customer", id.0),
                _ => Self::new("", 0),
            },
            Event::IdsLeased { .. } | Event::Clock(_) | Event::Origin(_) => Self::new("", 0),
        }
    }

    /// Reads what a client wrote.
    pub(crate) fn read(text: &str) -> Option<Self> {
        const KINDS: [&str; 8] = [
            "order",
            "product",
            "shop",
            "warehouse",
            "reservation",
            "transfer",
            "adjustment",
            "customer",
        ];
        let (kind, id) = text.split_once('/')?;
        if kind == "stock" {
            let (warehouse, product) = id.split_once('/')?;
            let (id, product) = (crate::query::id(warehouse)?, crate::query::id(product)?);
            return Some(Self { kind: "stock", id, product });
        }
        let kind = KINDS.into_iter().find(|known| *known == kind)?;
        Some(Self::new(kind, crate::query::id(id)?))
    }

    /// Whether an event is about it: it happened to it, or at a stock of this product or warehouse.
    pub(crate) fn is_in(&self, event: &Event) -> bool {
        let at = |key: StockKey| match self.kind {
            "product" => self.id == key.product.0,
            "warehouse" => self.id == key.warehouse.0,
            _ => *self == Self::stock(key),
        };
        match event {
            Event::Stock(event) => at(event.stock()),
            Event::Adjustment(event) => {
                let own = *self == Self::new("adjustment", event.adjustment().0);
                own || event.deltas().iter().any(|delta| at(delta.stock))
            }
            event => *self == Self::of(event),
        }
    }
}

impl std::fmt::Display for Entity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.product {
            0 => write!(f, "{}/{}", self.kind, self.id),
            product => write!(f, "{}/{}/{product}", self.kind, self.id),
        }
    }
}
