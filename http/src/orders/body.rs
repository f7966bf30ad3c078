use serde::Deserialize;
use stockade_actors::Engine;
use stockade_domain::{
    CustomerId, Quantity, Refusal, ReservationId, ShopId,
    account::AccountId,
    order::{Details, PlaceOrder, ShipTo},
};
use utoipa::ToSchema;

use crate::{
    caller::Caller,
    fields::Texts,
    lines::{LineBody, Lines, LinesBody, OtherLineBody},
    openapi::kinds,
    problem::Problem,
    query::ID_MAX,
    refusals::{Named, locating},
    reservations::is_of,
    shops::{DEFAULT_SHOP, ms},
    warehouses::millionths,
};

/// `POST /orders`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = NewOrder,
    examples(json!({"lines": [{"product_id": 1, "quantity": 2}], "reference": "PO-7731"}))
)]
pub(crate) struct PlaceOrderBody {
    #[schema(value_type = Vec<LineBody>, min_items = 1, max_items = 2000)]
    lines: Option<Vec<LineBody>>,
    #[schema(value_type = Vec<OtherLineBody>, min_items = 1, max_items = 2000)]
    products: Option<Vec<OtherLineBody>>,
    #[schema(value_type = kinds::Id)]
    product_id: Option<u64>,
    #[schema(value_type = kinds::Quantity)]
    quantity: Option<Quantity>,
    #[schema(value_type = Option<kinds::Id>)]
    shop_id: Option<u64>,
    #[schema(value_type = Option<Vec<kinds::Id>>, max_items = 2000)]
    reservation_ids: Option<Vec<u64>>,
    #[schema(value_type = Option<kinds::PaymentDeadline>)]
    payment_deadline_seconds: Option<u64>,
    #[schema(value_type = Option<kinds::Id>)]
    customer_id: Option<u64>,
    ship_to: Option<ShipToBody>,
    #[schema(value_type = Option<kinds::LongText>)]
    note: Option<String>,
    #[schema(value_type = Option<kinds::Text>)]
    reference: Option<String>,
    metadata: Option<Texts>,
    /// Of a row of a batch: there the document has it, too.
    #[schema(ignore)]
    idempotency_key: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = ShipTo,
    examples(json!({"latitude": 51.5074, "longitude": -0.1278}))
)]
struct ShipToBody {
    #[schema(value_type = kinds::Latitude)]
    latitude: f64,
    #[schema(value_type = kinds::Longitude)]
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

    /// The key of a row of a batch.
    pub(super) fn key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }

    /// The order that this caller asks for, and how the body named its parts.
    pub(crate) fn into_request(
        self,
        engine: &Engine,
        caller: Caller,
    ) -> Result<(PlaceOrder, Names), Problem> {
        if self.customer_id.is_some_and(|id| !(1..=ID_MAX).contains(&id)) {
            return Err(Problem::field("/customer_id", "must be an id, a positive number"));
        }
        let reserved = self.reservation_ids.iter().flatten();
        if let Some(at) = reserved.clone().position(|id| !(1..=ID_MAX).contains(id)) {
            let place = format!("/reservation_ids/{at}");
            return Err(Problem::field(place, "must be an id, a positive number"));
        }
        let customer = customer(engine, caller, self.customer_id)?;
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
            customer,
            lines: lines.quantities.clone(),
            reservations: reservations.clone(),
            payment_deadline_ms: self.payment_deadline_seconds.map(ms),
            may_lengthen_deadline: caller.is_staff(),
            details,
        };
        let names = Names { lines, reservations };
        check_reservations(engine, caller, &names)?;
        Ok((request, names))
    }
}

/// For whom it is ordered. He must be somebody, unless it is a trial without sign-in and nobody is kept here: then customers are
/// those of another system.
fn customer(
    engine: &Engine,
    caller: Caller,
    named: Option<u64>,
) -> Result<Option<CustomerId>, Problem> {
    if named.is_some_and(|id| !(1..=ID_MAX).contains(&id)) {
        return Err(Problem::field("/customer_id", "must be an id, a positive number"));
    }
    let customer = caller.customer_named(named.map(CustomerId))?;
    let is_here = |id| {
        let account = engine.account(AccountId::Customer(id));
        account.is_some_and(|account| !account.is_erased())
    };
    let is_elsewhere = || caller == Caller::Local && engine.customers(0, 1, |_| true).is_empty();
    match customer {
        Some(id) if !is_here(id) && !is_elsewhere() => {
            Err(locating(|_| Some("/customer_id".to_owned()))(
                Refusal::NotFound { kind: "customer", id: id.0 }.into(),
            ))
        }
        customer => Ok(customer),
    }
}

/// A customer orders what is held for himself. Of another's hold he learns no more than of one that never was.
fn check_reservations(engine: &Engine, caller: Caller, names: &Names) -> Result<(), Problem> {
    let Some(customer) = caller.customer() else { return Ok(()) };
    let is_own = |id| engine.reservation(id).is_some_and(|hold| is_of(&hold, customer));
    match names.reservations.iter().find(|id| !is_own(**id)) {
        Some(id) => {
            let missing = Refusal::NotFound { kind: "reservation", id: id.0 };
            Err(locating(|named| names.locate(named))(missing.into()))
        }
        None => Ok(()),
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
