use std::{borrow::Cow, sync::Arc};

use serde::{Serialize, Serializer, ser::SerializeSeq};
use stockade_actors::Engine;
use stockade_domain::{
    CustomerId, OrderId, ProductId, Quantity, ShopId, WarehouseId,
    catalogue::{Attributes, Product},
    order::{Details, Order, Parcel, Payment, Return, Shipment},
};

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, schema::Schema},
};

use super::named::{NamedOrder, names};
use crate::{
    fields::Texts,
    money::{Code, Money},
    openapi::kinds,
    time::Time,
};

/// An order, as clients read it.
pub(crate) struct OrderView<'a> {
    order: &'a Order,
    products: Vec<Option<Arc<Product>>>,
    /// What is personal in them is opened for this view alone.
    details: Option<Cow<'a, Details>>,
    /// With the words that people wrote.
    words: bool,
}

impl<'a> OrderView<'a> {
    /// The order with its products as they are called now.
    pub(crate) fn of(engine: &Engine, order: &'a Order) -> Self {
        let products = names(engine, order);
        Self { order, products, details: engine.order_details(order), words: true }
    }

    /// The order with its products as they are called there.
    pub(crate) fn named(engine: &Engine, named: &'a NamedOrder) -> Self {
        let NamedOrder { order, products } = named;
        let details = engine.order_details(order);
        Self { order, products: products.clone(), details, words: true }
    }

    /// The order as its events show it: no personal data but ids, and nothing that may read differently tomorrow.
    pub(crate) fn told(order: &'a Order) -> Self {
        let details = order.placed.details.as_deref().map(Cow::Borrowed);
        Self { order, products: vec![None; order.placed.lines.len()], details, words: false }
    }

    /// Another state of the same order.
    pub(crate) fn at<'b>(&'b self, order: &'b Order) -> OrderView<'b> {
        let details = self.details.as_deref().map(Cow::Borrowed);
        OrderView { order, products: self.products.clone(), details, words: self.words }
    }
}

/// What is written of an order is another type, made while it is written.
impl PartialSchema for OrderView<'_> {
    fn schema() -> RefOr<Schema> {
        Whole::schema()
    }
}

impl ToSchema for OrderView<'_> {
    fn name() -> Cow<'static, str> {
        Whole::name()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Whole::schemas(schemas);
    }
}

/// An order: what was bought, what of it is reserved, shipped, cancelled or returned, and what was paid.
#[derive(Serialize, ToSchema)]
#[schema(
    as = Order,
    examples(json!({"id": 1, "customer_id": null, "shop_id": 1, "status": "paid", "lines": [{"product_id": 1, "sku": "MUG-BLUE", "name": "Mug, blue", "quantity": 2, "unit_price": "12.50", "line_total": "25.00", "reserved": 2, "shipped": 0, "cancelled": 0, "returned": 0, "allocations": [{"warehouse_id": 1, "quantity": 2}]}], "total_price": "25.00", "paid_amount": "25.00", "refund_due": "0.00", "refunded_amount": "0.00", "currency": "USD", "payment_deadline": "2026-01-31T12:00:00.000Z", "placed_at": "2026-01-31T12:00:00.000Z", "paid_at": "2026-01-31T12:00:00.000Z", "closed_at": null, "payments": [{"amount": "25.00", "method": "card", "reference": "ch_7731", "recorded_at": "2026-01-31T12:00:00.000Z"}], "shipments": [], "returns": [], "allowed_transitions": ["shipped", "cancelled"], "cancel_reason": null, "note": null, "reference": null, "metadata": {}, "created_at": "2026-01-31T12:00:00.000Z", "updated_at": "2026-01-31T12:00:00.000Z", "version": 3}))
)]
struct Whole<'a> {
    #[schema(value_type = kinds::Id)]
    id: OrderId,
    #[schema(value_type = Option<kinds::Id>)]
    customer_id: Option<CustomerId>,
    #[schema(value_type = kinds::Id)]
    shop_id: ShopId,
    #[schema(value_type = kinds::OrderStatus)]
    status: &'static str,
    lines: Vec<LineView<'a>>,
    total_price: Money,
    paid_amount: Money,
    refund_due: Money,
    refunded_amount: Money,
    #[schema(value_type = Code)]
    currency: &'static str,
    payment_deadline: Time,
    placed_at: Time,
    paid_at: Option<Time>,
    closed_at: Option<Time>,
    #[schema(value_type = Vec<PaymentView<'a>>)]
    payments: Each<'a, Payment>,
    #[schema(value_type = Vec<ShipmentView<'a>>)]
    shipments: Each<'a, Shipment>,
    #[schema(value_type = Vec<ReturnView<'a>>)]
    returns: Each<'a, Return>,
    #[schema(value_type = Vec<String>)]
    allowed_transitions: &'static [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    cancel_reason: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    note: Option<Option<&'a str>>,
    reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Texts, required = true)]
    metadata: Option<Metadata<'a>>,
    created_at: Time,
    updated_at: Time,
    #[schema(value_type = kinds::Version)]
    version: u32,
}

#[derive(Serialize, ToSchema)]
#[schema(
    as = OrderLine,
    examples(json!({"product_id": 1, "sku": "MUG-BLUE", "name": "Mug, blue", "quantity": 2, "unit_price": "12.50", "line_total": "25.00", "reserved": 2, "shipped": 0, "cancelled": 0, "returned": 0, "allocations": [{"warehouse_id": 1, "quantity": 2}]}))
)]
struct LineView<'a> {
    #[schema(value_type = kinds::Id)]
    product_id: ProductId,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = true)]
    sku: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = true)]
    name: Option<&'a str>,
    #[schema(value_type = kinds::Count)]
    quantity: Quantity,
    unit_price: Money,
    line_total: Money,
    #[schema(value_type = kinds::Count)]
    reserved: Quantity,
    #[schema(value_type = kinds::Count)]
    shipped: Quantity,
    #[schema(value_type = kinds::Count)]
    cancelled: Quantity,
    #[schema(value_type = kinds::Count)]
    returned: Quantity,
    allocations: Vec<AllocationView>,
}

#[derive(Serialize, ToSchema)]
#[schema(
    as = OrderAllocation,
    examples(json!({"warehouse_id": 1, "quantity": 2}))
)]
struct AllocationView {
    #[schema(value_type = kinds::Id)]
    warehouse_id: WarehouseId,
    #[schema(value_type = kinds::Count)]
    quantity: Quantity,
}

/// What has happened to an order, one thing after the other.
struct Each<'a, T> {
    order: &'a Order,
    things: &'a [T],
    /// With the words that people wrote.
    words: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(
    as = OrderPayment,
    examples(json!({"amount": "25.00", "method": "card", "reference": "ch_7731", "recorded_at": "2026-01-31T12:00:00.000Z"}))
)]
struct PaymentView<'a> {
    amount: Money,
    method: Option<&'a str>,
    reference: Option<&'a str>,
    recorded_at: Time,
}

#[derive(Serialize, ToSchema)]
#[schema(
    as = Shipment,
    examples(json!({"lines": [{"product_id": 1, "warehouse_id": 1, "quantity": 2}], "carrier": "DHL", "tracking": "JD0146", "shipped_at": "2026-01-31T12:00:00.000Z"}))
)]
struct ShipmentView<'a> {
    lines: Vec<ParcelView>,
    carrier: Option<&'a str>,
    tracking: Option<&'a str>,
    shipped_at: Time,
}

#[derive(Serialize, ToSchema)]
#[schema(
    as = Return,
    examples(json!({"lines": [{"product_id": 1, "warehouse_id": 1, "quantity": 1}], "restocked": true, "reason": "too small", "returned_at": "2026-01-31T12:00:00.000Z"}))
)]
struct ReturnView<'a> {
    lines: Vec<ParcelView>,
    restocked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    reason: Option<Option<&'a str>>,
    returned_at: Time,
}

#[derive(Serialize, ToSchema)]
#[schema(
    as = ParcelLine,
    examples(json!({"product_id": 1, "warehouse_id": 1, "quantity": 2}))
)]
struct ParcelView {
    #[schema(value_type = kinds::Id)]
    product_id: ProductId,
    #[schema(value_type = kinds::Id)]
    warehouse_id: WarehouseId,
    #[schema(value_type = kinds::Count)]
    quantity: Quantity,
}

/// Most orders have none: an empty object then.
struct Metadata<'a>(Option<&'a Attributes>);

impl Serialize for Metadata<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(metadata) => metadata.serialize(serializer),
            None => serializer.collect_map(std::iter::empty::<((), ())>()),
        }
    }
}

/// One thing that happened, as clients read it.
trait Happened {
    fn show(&self, order: &Order, words: bool) -> impl Serialize;
}

impl Happened for Payment {
    fn show(&self, order: &Order, _: bool) -> impl Serialize {
        PaymentView {
            amount: Money(self.amount, order.placed.currency),
            method: self.method.as_deref(),
            reference: self.reference.as_deref(),
            recorded_at: Time(self.at),
        }
    }
}

impl Happened for Shipment {
    fn show(&self, order: &Order, _: bool) -> impl Serialize {
        ShipmentView {
            lines: parcels(order, &self.parcels),
            carrier: self.carrier.as_deref(),
            tracking: self.tracking.as_deref(),
            shipped_at: Time(self.at),
        }
    }
}

impl Happened for Return {
    fn show(&self, order: &Order, words: bool) -> impl Serialize {
        ReturnView {
            lines: parcels(order, &self.parcels),
            restocked: self.restocked,
            reason: words.then_some(self.reason.as_deref()),
            returned_at: Time(self.at),
        }
    }
}

impl<T: Happened> Serialize for Each<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all = serializer.serialize_seq(Some(self.things.len()))?;
        for thing in self.things {
            all.serialize_element(&thing.show(self.order, self.words))?;
        }
        all.end()
    }
}

fn parcels(order: &Order, parcels: &[Parcel]) -> Vec<ParcelView> {
    let mut views: Vec<ParcelView> = Vec::with_capacity(parcels.len());
    for parcel in parcels {
        let allocation = &order.placed.allocations[parcel.allocation as usize];
        let stock = order.placed.stock(allocation);
        let (product_id, warehouse_id) = (stock.product, stock.warehouse);
        let quantity = parcel.quantity;
        // Held units and new ones of one stock are two allocations, and one line for whoever reads.
        let mut same_line = views.iter_mut().rev().take_while(|view| view.product_id == product_id);
        match same_line.find(|view| view.warehouse_id == warehouse_id) {
            Some(view) => view.quantity += quantity,
            None => views.push(ParcelView { product_id, warehouse_id, quantity }),
        }
    }
    views
}

impl OrderView<'_> {
    fn lines(&self) -> Vec<LineView<'_>> {
        let placed = &*self.order.placed;
        let line = |(line, product): (&stockade_domain::order::Line, _)| {
            let product: &Option<Arc<Product>> = product;
            LineView {
                product_id: line.product,
                sku: product.as_ref().map(|product| &*product.sku),
                name: product.as_ref().map(|product| &*product.name),
                quantity: line.quantity,
                unit_price: Money(line.unit_price, placed.currency),
                line_total: Money(line.unit_price * line.quantity as i64, placed.currency),
                reserved: 0,
                shipped: 0,
                cancelled: 0,
                returned: 0,
                allocations: Vec::with_capacity(1),
            }
        };
        let mut lines: Vec<_> = placed.lines.iter().zip(&self.products).map(line).collect();
        for (index, allocation) in placed.allocations.iter().enumerate() {
            let line = &mut lines[allocation.line as usize];
            let progress = self.order.progress(index);
            line.reserved += self.order.reserved(index);
            line.shipped += progress.shipped;
            line.cancelled += progress.cancelled;
            line.returned += progress.returned;
            let (warehouse_id, quantity) = (allocation.warehouse, allocation.quantity);
            match line.allocations.iter_mut().find(|known| known.warehouse_id == warehouse_id) {
                Some(known) => known.quantity += quantity,
                None => line.allocations.push(AllocationView { warehouse_id, quantity }),
            }
        }
        lines
    }
}

impl Serialize for OrderView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (order, words) = (self.order, self.words);
        let placed = &*order.placed;
        let details = self.details.as_deref();
        let history = order.history.as_deref();
        let money = |amount| Money(amount, placed.currency);
        let whole = Whole {
            id: placed.id,
            customer_id: placed.customer,
            shop_id: placed.shop,
            status: order.status.name(),
            lines: self.lines(),
            total_price: money(placed.total()),
            paid_amount: money(order.paid_amount),
            refund_due: money(order.refund_due()),
            refunded_amount: money(order.refunded_amount),
            currency: placed.currency.code(),
            payment_deadline: Time(placed.payment_deadline()),
            placed_at: Time(placed.at),
            paid_at: order.paid_at.map(Time),
            closed_at: order.closed_at.map(Time),
            payments: Each { order, things: &order.payments, words },
            shipments: Each { order, things: history.map_or(&[], |h| &h.shipments), words },
            returns: Each { order, things: history.map_or(&[], |h| &h.returns), words },
            allowed_transitions: order.allowed_transitions(),
            cancel_reason: words
                .then(|| history.and_then(|history| history.cancel_reason.as_deref())),
            note: words.then(|| details.and_then(|details| details.note.as_deref())),
            reference: details.and_then(|details| details.reference.as_deref()),
            metadata: words.then(|| Metadata(details.map(|details| &details.metadata))),
            created_at: Time(placed.at),
            updated_at: Time(order.updated_at),
            version: order.version,
        };
        whole.serialize(serializer)
    }
}
