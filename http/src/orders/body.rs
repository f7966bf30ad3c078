use serde::Deserialize;
use stockade_domain::{
    CustomerId, Quantity, ReservationId, ShopId,
    order::{Details, PlaceOrder, ShipTo},
};

use crate::{
    fields::Texts,
    lines::{LineBody, Lines, LinesBody, OtherLineBody},
    problem::Problem,
    query::ID_MAX,
    refusals::Named,
    shops::{DEFAULT_SHOP, ms},
    warehouses::millionths,
};

/// `POST /orders`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaceOrderBody {
    lines: Option<Vec<LineBody>>,
    products: Option<Vec<OtherLineBody>>,
    product_id: Option<u64>,
    quantity: Option<Quantity>,
    shop_id: Option<u64>,
    reservation_ids: Option<Vec<u64>>,
    payment_deadline_seconds: Option<u64>,
    customer_id: Option<u64>,
    ship_to: Option<ShipToBody>,
    note: Option<String>,
    reference: Option<String>,
    metadata: Option<Texts>,
    /// Of a row of a batch.
    pub(super) idempotency_key: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ShipToBody {
    latitude: f64,
    longitude: f64,
}

/// How the body named what the order names.
#[derive(Debug)]
pub(crate) struct Names {
    lines: Lines,
    reservations: Vec<ReservationId>,
}

impl PlaceOrderBody {
    /// The body of a request of its own: its idempotency key is a header.
    pub(super) fn alone(self) -> Result<Self, Problem> {
        match self.idempotency_key {
            Some(_) => Err(Problem::row_key()),
            None => Ok(self),
        }
    }

    /// The order that is asked for, and how the body named its parts.
    pub(crate) fn into_request(self) -> Result<(PlaceOrder, Names), Problem> {
        if self.customer_id.is_some_and(|id| !(1..=ID_MAX).contains(&id)) {
            return Err(Problem::field("/customer_id", "must be an id, a positive number"));
        }
        let ship_to = self.ship_to.map(ShipToBody::read).transpose()?;
        let seldom = ship_to.is_some()
            || self.note.is_some()
            || self.reference.is_some()
            || self.metadata.is_some();
        let details = seldom.then(|| {
            Box::new(Details {
                ship_to,
                note: self.note.map(Into::into),
                reference: self.reference.map(Into::into),
                metadata: self.metadata.unwrap_or_default().0,
            })
        });
        let (lines, products) = (self.lines, self.products);
        let (product_id, quantity) = (self.product_id, self.quantity);
        let lines = LinesBody { lines, products, product_id, quantity }.read()?;
        let reservations: Vec<_> =
            self.reservation_ids.unwrap_or_default().into_iter().map(ReservationId).collect();
        let request = PlaceOrder {
            shop: self.shop_id.map_or(DEFAULT_SHOP, ShopId),
            customer: self.customer_id.map(CustomerId),
            lines: lines.quantities.clone(),
            reservations: reservations.clone(),
            payment_deadline_ms: self.payment_deadline_seconds.map(ms),
            // Whoever calls without authentication is an administrator.
            may_lengthen_deadline: true,
            details,
        };
        Ok((request, Names { lines, reservations }))
    }
}

impl ShipToBody {
    fn read(self) -> Result<ShipTo, Problem> {
        if !(-90.0..=90.0).contains(&self.latitude) {
            return Err(Problem::field("/ship_to/latitude", "must be from -90 to 90"));
        }
        if !(-180.0..=180.0).contains(&self.longitude) {
            return Err(Problem::field("/ship_to/longitude", "must be from -180 to 180"));
        }
        let (latitude_e6, longitude_e6) = (millionths(self.latitude), millionths(self.longitude));
        Ok(ShipTo { latitude_e6, longitude_e6 })
    }
}

impl Names {
    /// Where the body names what a refusal is about.
    pub(crate) fn locate(&self, named: Named<'_>) -> Option<String> {
        match named {
            Named::Thing("customer", _) => Some("/customer_id".to_owned()),
            Named::Thing("shop", _) => Some("/shop_id".to_owned()),
            Named::Thing("reservation", id) => {
                let at = self.reservations.iter().position(|known| known.0 == id)?;
                Some(format!("/reservation_ids/{at}"))
            }
            named => self.lines.locate(named),
        }
    }
}
