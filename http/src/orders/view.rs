use std::{borrow::Cow, sync::Arc};

use serde::{Serialize, Serializer, ser::SerializeSeq};
use stockade_actors::Engine;
use stockade_domain::{
    CustomerId, OrderId, ProductId, Quantity, ShopId, WarehouseId,
    catalogue::{Attributes, Product},
    order::{Details, Order, Parcel, Payment, Return, Shipment},
};

use crate::{money::Money, time::Time};

/// An order, as clients read it. What its products are called comes from the catalogue as it is now.
pub(crate) struct OrderView<'a> {
    order: &'a Order,
    products: Vec<Option<Arc<Product>>>,
    /// What is personal in them is opened for this view alone.
    details: Option<Cow<'a, Details>>,
    /// With the words that people wrote.
    words: bool,
}

impl<'a> OrderView<'a> {
    /// The order with the names of its products.
    pub(crate) fn of(engine: &Engine, order: &'a Order) -> Self {
        let catalogue = engine.catalogue();
        let name = |line: &stockade_domain::order::Line| catalogue.product(line.product).cloned();
        let products = order.placed.lines.iter().map(name).collect();
        Self { order, products, details: engine.order_details(order), words: true }
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

#[derive(Serialize)]
struct Whole<'a> {
    id: OrderId,
    customer_id: Option<CustomerId>,
    shop_id: ShopId,
    status: &'static str,
    lines: Vec<LineView<'a>>,
    total_price: Money,
    paid_amount: Money,
    refund_due: Money,
    refunded_amount: Money,
    currency: &'static str,
    payment_deadline: Time,
    placed_at: Time,
    paid_at: Option<Time>,
    closed_at: Option<Time>,
    payments: Each<'a, Payment>,
    shipments: Each<'a, Shipment>,
    returns: Each<'a, Return>,
    allowed_transitions: &'static [&'static str],
    #[serde(flatten)]
    words: Option<Words<'a>>,
    reference: Option<&'a str>,
    created_at: Time,
    updated_at: Time,
    version: u32,
}

/// What people wrote about it.
#[derive(Serialize)]
struct Words<'a> {
    cancel_reason: Option<&'a str>,
    note: Option<&'a str>,
    metadata: Metadata<'a>,
}

#[derive(Serialize)]
struct LineView<'a> {
    product_id: ProductId,
    #[serde(skip_serializing_if = "Option::is_none")]
    sku: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    quantity: Quantity,
    unit_price: Money,
    line_total: Money,
    reserved: Quantity,
    shipped: Quantity,
    cancelled: Quantity,
    returned: Quantity,
    allocations: Vec<AllocationView>,
}

#[derive(Serialize)]
struct AllocationView {
    warehouse_id: WarehouseId,
    quantity: Quantity,
}

/// What has happened to an order, one thing after the other.
struct Each<'a, T> {
    order: &'a Order,
    things: &'a [T],
    /// With the words that people wrote.
    words: bool,
}

#[derive(Serialize)]
struct PaymentView<'a> {
    amount: Money,
    method: Option<&'a str>,
    reference: Option<&'a str>,
    recorded_at: Time,
}

#[derive(Serialize)]
struct ShipmentView<'a> {
    lines: Vec<ParcelView>,
    carrier: Option<&'a str>,
    tracking: Option<&'a str>,
    shipped_at: Time,
}

#[derive(Serialize)]
struct ReturnView<'a> {
    lines: Vec<ParcelView>,
    restocked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Option<&'a str>>,
    returned_at: Time,
}

#[derive(Serialize)]
struct ParcelView {
    product_id: ProductId,
    warehouse_id: WarehouseId,
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
            words: words.then(|| Words {
                cancel_reason: history.and_then(|history| history.cancel_reason.as_deref()),
                note: details.and_then(|details| details.note.as_deref()),
                metadata: Metadata(details.map(|details| &details.metadata)),
            }),
            reference: details.and_then(|details| details.reference.as_deref()),
            created_at: Time(placed.at),
            updated_at: Time(order.updated_at),
            version: order.version,
        };
        whole.serialize(serializer)
    }
}
