use serde::{Serialize, Serializer};
use stockade_actors::{After, Happened};
use stockade_domain::{
    AdjustmentId, Event, Owner, OwnerKind, ProductId, Quantity, ReservationId, WarehouseId,
    account::{Account, AccountId},
    adjustment::AdjustmentEvent,
    catalogue::CatalogueEvent,
    holder::{Hold, HoldEvent},
    stock::{Give, StockEvent, Take},
};

use utoipa::ToSchema;

use super::names::customer;
use crate::{
    openapi::kinds, orders::OrderView, products::ProductView, reservations::HoldView,
    shops::ShopView, time::Time, transfers::TransferView, warehouses::WarehouseView,
};

/// What an event shows: its thing as it was right after, without personal data but ids.
pub(crate) struct Data<'a>(pub(crate) &'a Happened);

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (&self.0.after, &self.0.event) {
            (After::Order(order), _) => OrderView::told(order).serialize(serializer),
            (After::Hold(hold), event) => HoldData::new(event, hold).serialize(serializer),
            (After::Transfer(transfer), _) => TransferView::from(&**transfer).serialize(serializer),
            (After::Event, Event::Catalogue(event)) => catalogue(event, serializer),
            (After::Event, Event::Adjustment(event)) => {
                AdjustmentData::from(event).serialize(serializer)
            }
            (After::Event, Event::Stock(event)) => stock(event, serializer),
            (After::Event, Event::Account(event)) => {
                customer(event).map(CustomerData::from).serialize(serializer)
            }
            // These have an order, a transfer or a hold behind them, or no name.
            (
                After::Event,
                Event::Order(_)
                | Event::Transfer(_)
                | Event::Hold(_)
                | Event::IdsLeased { .. }
                | Event::Clock(_)
                | Event::Origin(_),
            ) => serializer.serialize_unit(),
        }
    }
}

/// A customer, without who it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(
    as = EventCustomer,
    examples(json!({"id": 1, "role": "customer", "created_at": "2026-01-31T12:00:00.000Z", "updated_at": "2026-01-31T12:00:00.000Z", "version": 1}))
)]
pub(crate) struct CustomerData {
    #[schema(value_type = kinds::Id)]
    id: u64,
    role: &'static str,
    created_at: Time,
    updated_at: Time,
    #[schema(value_type = kinds::Version)]
    version: u32,
}

impl From<&Account> for CustomerData {
    fn from(account: &Account) -> Self {
        Self {
            id: match account.id {
                AccountId::Customer(id) => id.0,
                AccountId::Account(id) => id,
            },
            role: account.role.name(),
            created_at: Time(account.created_at),
            updated_at: Time(account.updated_at),
            version: account.version,
        }
    }
}

fn catalogue<S: Serializer>(event: &CatalogueEvent, serializer: S) -> Result<S::Ok, S::Error> {
    match event {
        CatalogueEvent::ProductCreated { product, .. }
        | CatalogueEvent::ProductUpdated { product, .. }
        | CatalogueEvent::ProductArchived { product } => {
            ProductView::told(product).serialize(serializer)
        }
        CatalogueEvent::ShopCreated(shop) | CatalogueEvent::ShopUpdated(shop) => {
            ShopView::from(shop).serialize(serializer)
        }
        CatalogueEvent::WarehouseCreated(place)
        | CatalogueEvent::WarehouseUpdated(place)
        | CatalogueEvent::WarehouseStatusChanged(place) => {
            WarehouseView::from(place).serialize(serializer)
        }
    }
}

/// Who made a stock move.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(
    as = StockOwner,
    examples(json!({"kind": "order", "id": 1}))
)]
pub(crate) struct OwnerView {
    kind: &'static str,
    #[schema(value_type = kinds::Id)]
    id: u64,
}

impl From<Owner> for OwnerView {
    fn from(owner: Owner) -> Self {
        let kind = match owner.kind() {
            OwnerKind::Order => "order",
            OwnerKind::Hold => "reservation",
            OwnerKind::Transfer => "transfer",
            OwnerKind::Adjustment => "adjustment",
            OwnerKind::Product => "product",
        };
        Self { kind, id: owner.id() }
    }
}

/// What a stock event changed: (on hand, reserved).
pub(crate) fn changes(event: &StockEvent) -> (i64, i64) {
    let taken = |take: &Take| match *take {
        Take::Reserve { quantity } => (0, quantity as i64),
        Take::Consume { quantity, .. } => (-(quantity as i64), -(quantity as i64)),
        Take::TransferOut { quantity } | Take::Minus { quantity } => (-(quantity as i64), 0),
    };
    match event {
        StockEvent::Taken { take, .. } => taken(take),
        StockEvent::Undone { take, .. } => {
            let (on_hand, reserved) = taken(take);
            (-on_hand, -reserved)
        }
        StockEvent::Given { give, .. } => match *give {
            Give::Release { quantity, .. } => (0, -(quantity as i64)),
            Give::Plus { quantity }
            | Give::Restock { quantity }
            | Give::TransferIn { quantity }
            | Give::Arrive { received: quantity, .. } => (quantity as i64, 0),
            Give::Expect { .. } => (0, 0),
        },
        StockEvent::Recounted { from, to, .. } => (*to as i64 - *from as i64, 0),
        StockEvent::PolicyChanged { .. } => (0, 0),
    }
}

/// Who made it, if somebody did.
pub(crate) fn owner(event: &StockEvent) -> Option<Owner> {
    match event {
        StockEvent::Taken { owner, .. }
        | StockEvent::Undone { owner, .. }
        | StockEvent::Given { owner, .. } => Some(*owner),
        StockEvent::Recounted { .. } | StockEvent::PolicyChanged { .. } => None,
    }
}

/// What happened at a stock: what changed, not what there is in all.
#[derive(Serialize, ToSchema)]
#[schema(
    as = EventStock,
    examples(json!({"product_id": 1, "warehouse_id": 1, "owner": {"kind": "order", "id": 1}, "on_hand_change": 0, "reserved_change": 2}))
)]
pub(crate) struct StockData {
    #[schema(value_type = kinds::Id)]
    product_id: ProductId,
    #[schema(value_type = kinds::Id)]
    warehouse_id: WarehouseId,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = OwnerView, required = false)]
    owner: Option<OwnerView>,
    on_hand_change: i64,
    reserved_change: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = kinds::Count, required = false)]
    on_hand: Option<Quantity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = kinds::Count, required = false)]
    safety_stock: Option<Quantity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = kinds::Count, required = false)]
    backorder_limit: Option<Quantity>,
}

fn stock<S: Serializer>(event: &StockEvent, serializer: S) -> Result<S::Ok, S::Error> {
    let key = event.stock();
    let (on_hand_change, reserved_change) = changes(event);
    let is_correction = matches!(
        event,
        StockEvent::Taken { take: Take::Minus { .. }, .. }
            | StockEvent::Undone { take: Take::Minus { .. }, .. }
            | StockEvent::Given { give: Give::Plus { .. }, .. }
    );
    if is_correction {
        // With its product, not by an adjustment: the same type, so the same shape.
        let delta = Correction::new(key.product, key.warehouse, on_hand_change, None);
        let data = AdjustmentData { id: None, reference: None, adjustments: vec![delta] };
        return data.serialize(serializer);
    }
    let (on_hand, safety_stock, backorder_limit) = match *event {
        StockEvent::Recounted { to, .. } => (Some(to), None, None),
        StockEvent::PolicyChanged { safety_stock, backorder_limit, .. } => {
            (None, Some(safety_stock), Some(backorder_limit))
        }
        _ => (None, None, None),
    };
    let data = StockData {
        product_id: key.product,
        warehouse_id: key.warehouse,
        owner: owner(event).map(Into::into),
        on_hand_change,
        reserved_change,
        on_hand,
        safety_stock,
        backorder_limit,
    };
    data.serialize(serializer)
}

/// A correction of one or many stocks.
#[derive(Serialize, ToSchema)]
#[schema(
    as = EventAdjustment,
    examples(json!({"id": 1, "reference": null, "adjustments": [{"warehouse_id": 1, "product_id": 1, "delta": -3, "reason": "damaged"}]}))
)]
pub(crate) struct AdjustmentData<'a> {
    #[schema(value_type = Option<kinds::Id>)]
    id: Option<AdjustmentId>,
    reference: Option<&'a str>,
    adjustments: Vec<Correction<'a>>,
}

#[derive(Serialize, ToSchema)]
#[schema(
    as = EventAdjustmentRow,
    examples(json!({"warehouse_id": 1, "product_id": 1, "delta": -3, "reason": "damaged"}))
)]
struct Correction<'a> {
    #[schema(value_type = kinds::Id)]
    warehouse_id: WarehouseId,
    #[schema(value_type = kinds::Id)]
    product_id: ProductId,
    delta: i64,
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    reference: Option<&'a str>,
}

impl Correction<'_> {
    fn new(
        product_id: ProductId,
        warehouse_id: WarehouseId,
        delta: i64,
        reason: Option<&'static str>,
    ) -> Self {
        Self { warehouse_id, product_id, delta, reason, reference: None }
    }
}

impl<'a> From<&'a AdjustmentEvent> for AdjustmentData<'a> {
    fn from(event: &'a AdjustmentEvent) -> Self {
        let id = Some(event.adjustment());
        match event {
            AdjustmentEvent::Adjusted(adjusted) => {
                let reason = Some(adjusted.reason.name());
                let deltas = adjusted.deltas.iter().map(|delta| {
                    Correction::new(delta.stock.product, delta.stock.warehouse, delta.delta, reason)
                });
                let reference = adjusted.reference.as_deref();
                Self { id, reference, adjustments: deltas.collect() }
            }
            AdjustmentEvent::RowsAdjusted(adjusted) => {
                let rows = adjusted.rows.iter().map(|row| Correction {
                    warehouse_id: row.stock.warehouse,
                    product_id: row.stock.product,
                    delta: row.delta,
                    reason: Some(row.reason.name()),
                    reference: row.reference.as_deref(),
                });
                Self { id, reference: None, adjustments: rows.collect() }
            }
        }
    }
}

/// A hold as it was, and what it took from others when it was made.
#[derive(Serialize)]
struct HoldData<'a> {
    #[serde(flatten)]
    hold: HoldView<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<&'a [ReservationId]>,
}

impl<'a> HoldData<'a> {
    fn new(event: &'a Event, hold: &'a Hold) -> Self {
        let replaces = match event {
            Event::Hold(HoldEvent::Placed(placed)) => Some(&*placed.replaces),
            _ => None,
        };
        Self { hold: HoldView::told(hold), replaces }
    }
}
