use std::rc::Rc;

use stockade_domain::{
    AdjustmentId, Owner, OwnerKind, Refusal,
    adjustment::{self, AdjustmentEvent, RowsAdjusted},
    limits::ON_HAND_MAX,
};

use super::{
    Outcome,
    stocks::{give, take_all},
};
use crate::{
    context::By,
    job::Corrections,
    lane::{Lane, guarded},
    read::ReadSide,
};

/// Corrects one or many stocks: all of them or none.
pub(super) async fn adjust(
    lane: &Rc<Lane>,
    by: &By,
    request: Corrections,
) -> Outcome<AdjustmentEvent> {
    let deltas = guarded(|| match &request {
        Corrections::One(adjust) => Ok(adjust.check()?),
        Corrections::Rows(rows) => Ok(adjustment::check_rows(rows)?),
    })?;
    check_exist(&lane.shared.read, &deltas)?;
    let id = AdjustmentId(lane.next_id(OwnerKind::Adjustment).await?);
    let owner = Owner::adjustment(id);
    let takes: Vec<_> = adjustment::takes(&deltas).collect();
    take_all(lane, owner, 0, &takes).await?;
    let gives = adjustment::gives(&deltas).collect();
    let at = lane.now();
    let event = match request {
        Corrections::One(adjust) => adjust.decide(id, deltas, at),
        Corrections::Rows(rows) => {
            AdjustmentEvent::RowsAdjusted(Box::new(RowsAdjusted { id, deltas, rows, at }))
        }
    };
    let seen = lane.decide(by, [event.clone().into()])?;
    let seen = seen.max(give(lane, owner, 0, gives).await?.unwrap_or(seen));
    Ok((event, Some(seen)))
}

fn check_exist(
    read: &ReadSide,
    deltas: &[stockade_domain::catalogue::StockDelta],
) -> Result<(), Refusal> {
    let catalogue = read.catalogue.read();
    deltas.iter().try_for_each(|delta| {
        catalogue.warehouse(delta.stock.warehouse)?;
        let id = delta.stock.product;
        let there = read.stocks.get(&delta.stock).map_or(0, |stock| stock.on_hand + stock.incoming);
        // A give is never refused, so what it would overflow is refused here, far below any overflow.
        if delta.delta > 0 && there + delta.delta.unsigned_abs() > ON_HAND_MAX {
            return Err(Refusal::AmountTooLarge("on_hand"));
        }
        catalogue.product(id).map(drop).ok_or(Refusal::NotFound { kind: "product", id: id.0 })
    })
}
