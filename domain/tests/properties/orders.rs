//! Properties of one order.

use std::sync::Arc;

use proptest::prelude::*;
use stockade_domain::{
    Amount, Currency, OrderId, ProductId, Quantity, Refusal, ReservationId, ShopId, Timestamp,
    WarehouseId,
    invariants::check_order,
    order::{Line, LineQuantity, Order, OrderCommand, OrderEvent, Parcel, Placed},
    sourcing::Allocation,
};

use super::{
    aggregates::{AT, hostile},
    engine::config,
};

fn of(lines: &[(u64, Quantity)]) -> Vec<LineQuantity> {
    let line =
        |&(product, quantity): &(u64, u64)| LineQuantity { product: ProductId(product), quantity };
    lines.iter().map(line).collect()
}

fn command(quantity: impl Strategy<Value = u64> + 'static) -> impl Strategy<Value = OrderCommand> {
    let lines = prop::option::weighted(0.8, prop::collection::vec((1..=4_u64, quantity), 1..4));
    let lines = lines.prop_map(|lines| lines.as_deref().map(of)).boxed();
    let amount = || prop::option::of(prop_oneof![-2..=400_i64, any::<i64>()]);
    let reference = prop::option::of(prop::sample::select(vec!["a".to_owned(), "b".to_owned()]));
    prop_oneof![
        3 => (amount(), reference)
            .prop_map(|(amount, reference)| OrderCommand::Pay { amount, method: None, reference }),
        1 => Just(OrderCommand::Pay { amount: None, method: None, reference: None }),
        1 => Just(OrderCommand::Expire),
        2 => lines.clone().prop_map(|lines| OrderCommand::Cancel { lines, reason: None }),
        4 => lines.clone()
            .prop_map(|lines| OrderCommand::Ship { lines, carrier: None, tracking: None }),
        1 => Just(OrderCommand::Deliver),
        3 => (lines, any::<bool>())
            .prop_map(|(lines, restock)| OrderCommand::Return { lines, restock, reason: None }),
        1 => amount().prop_map(|amount| OrderCommand::Refund { amount }),
    ]
}

/// Three products over two warehouses, partly held before.
fn placed(prices: [Amount; 3], quantities: [Quantity; 3]) -> Arc<Placed> {
    let mut lines = Vec::new();
    let mut allocations = Vec::new();
    for (line, (unit_price, quantity)) in (0..).zip(prices.into_iter().zip(quantities)) {
        lines.push(Line { product: ProductId(u64::from(line) + 1), quantity, unit_price });
        let part = quantity / 2;
        let hold = Some(ReservationId(9));
        let first = Allocation { line, warehouse: WarehouseId(1), hold, quantity: part };
        let hold = None;
        let second =
            Allocation { line, warehouse: WarehouseId(2), hold, quantity: quantity - part };
        allocations.extend([first, second].into_iter().filter(|found| found.quantity > 0));
    }
    Arc::new(Placed {
        id: OrderId(1),
        customer: None,
        shop: ShopId(1),
        currency: Currency::USD,
        at: AT,
        payment_deadline_ms: 5_000,
        priced_at: 0,
        lines,
        allocations,
        details: None,
    })
}

/// What an order's money must be, from its lines alone.
fn owed(order: &Order) -> Amount {
    let line = |(index, line): (usize, &Line)| {
        let (reserved, progress) = order.line(index);
        let sum = reserved + progress.shipped + progress.cancelled;
        assert_eq!(sum, line.quantity, "the quantities of a line partition it");
        line.unit_price * (reserved + progress.shipped - progress.returned) as Amount
    };
    order.placed.lines.iter().enumerate().map(line).sum()
}

/// What an event says is due to be paid back because of it.
fn refund(event: &OrderEvent) -> Amount {
    match event {
        OrderEvent::Cancelled(given) | OrderEvent::Expired(given) => given.refund,
        OrderEvent::Returned { refund, .. } => *refund,
        _ => 0,
    }
}

/// What a command names is what moves, or it names more than there is.
fn check_named(order: &Order, command: &OrderCommand, answer: &Result<Vec<OrderEvent>, Refusal>) {
    let (lines, left): (_, fn(&Order, usize) -> Quantity) = match command {
        OrderCommand::Cancel { lines: Some(lines), .. }
        | OrderCommand::Ship { lines: Some(lines), .. } => {
            (lines, |order, line| order.line(line).0)
        }
        OrderCommand::Return { lines: Some(lines), .. } => (lines, |order, line| {
            let (_, progress) = order.line(line);
            progress.shipped - progress.returned
        }),
        _ => return,
    };
    let named = |product| -> Quantity {
        lines.iter().filter(|line| line.product == product).map(|line| line.quantity).sum()
    };
    let of_line = |parcels: &[Parcel], line: usize| -> Quantity {
        let allocation = |parcel: &&Parcel| {
            order.placed.allocations[parcel.allocation as usize].line as usize == line
        };
        parcels.iter().filter(allocation).map(|parcel| parcel.quantity).sum()
    };
    let products = || order.placed.lines.iter().map(|line| line.product).enumerate();
    match answer.as_deref() {
        Ok([OrderEvent::Cancelled(given), ..]) => {
            products().for_each(|(i, p)| assert_eq!(of_line(&given.parcels, i), named(p)));
        }
        Ok([OrderEvent::Shipped { shipment, .. }]) => {
            products().for_each(|(i, p)| assert_eq!(of_line(&shipment.parcels, i), named(p)));
        }
        Ok([OrderEvent::Returned { returned, .. }]) => {
            products().for_each(|(i, p)| assert_eq!(of_line(&returned.parcels, i), named(p)));
        }
        Err(Refusal::Invalid { .. }) => {
            let unknown = lines.iter().any(|line| !products().any(|(_, p)| p == line.product));
            let too_many = products().any(|(i, p)| named(p) > left(order, i));
            assert!(unknown || too_many, "refused without a reason: {answer:?}");
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn an_orders_quantities_partition_and_its_money_adds_up(
        prices in [0..=90_i64, 0..=90_i64, 0..=3_i64],
        quantities in [1..=6_u64, 1..=6_u64, 1..=6_u64],
        commands in prop::collection::vec((command(1..=3_u64), 0..=900_u64), 1..30),
    ) {
        let first = OrderEvent::Placed(placed(prices, quantities));
        let OrderEvent::Placed(placed) = &first else { unreachable!() };
        let mut order = Order::new(placed.clone());
        let mut log: Vec<OrderEvent> = order.paid_at_once().into_iter().collect();
        log.iter().for_each(|event| order.evolve(event));
        let (mut now, mut refunds) = (AT, 0);
        for (command, ms) in commands {
            now = now.plus_ms(ms);
            let answer = order.decide(&command, now);
            check_named(&order, &command, &answer);
            for event in answer.unwrap_or_default() {
                if let OrderEvent::Expired(given) = &event {
                    prop_assert!(given.at >= placed.payment_deadline(), "late is allowed, early never");
                }
                order.evolve(&event);
                refunds += refund(&event);
                log.push(event);
            }
            check_order(&order, &mut |violation| panic!("{violation} by {command:?}"));
            prop_assert_eq!(order.owed(), owed(&order));
            prop_assert_eq!(order.refund_due() + order.refunded_amount, refunds);
            prop_assert!(order.owed() - order.paid_amount == order.due() || order.due() == 0);
            prop_assert!(order.paid_at.is_some() || order.due() > 0 || order.closed_at.is_some());
            prop_assert_eq!(order.updated_at <= now, true);
        }
        let mut again = Order::new(placed.clone());
        log.iter().for_each(|event| again.evolve(event));
        prop_assert_eq!(again, order);
    }

    #[test]
    fn no_number_makes_an_order_panic(
        commands in prop::collection::vec((command(hostile()), hostile()), 1..12),
    ) {
        let mut order = Order::new(placed([1_000_000, 3, 0], [1_000_000_000, 999_999_999, 1]));
        for (command, at) in commands {
            for event in order.decide(&command, Timestamp(at)).unwrap_or_default() {
                order.evolve(&event);
            }
            check_order(&order, &mut |violation| panic!("{violation} by {command:?}"));
        }
    }
}
