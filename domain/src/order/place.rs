use std::sync::Arc;

use super::{Details, Line, LineQuantity, Placed, ShipTo};
use crate::{
    CustomerId, OrderId, ProductId, Quantity, Refusal, ReservationId, Sequence, ShopId, Timestamp,
    WarehouseId,
    catalogue::{Catalogue, Shop, check_attributes, check_deadline, check_place},
    limits::{LONG_TEXT_MAX, ORDER_LINES_MAX, QUANTITY_MAX, TEXT_MAX, TOTAL_MAX},
    refusal::{check_optional_text, check_quantity, check_text},
    sourcing::{Allocation, Sourcing, candidates},
};

/// What a buyer asks for.
#[doc = include_str!("../../docs/place_order_type.md")]
#[derive(Clone, Debug, PartialEq)]
pub struct PlaceOrder {
    /// In which shop.
    pub shop: ShopId,
    /// Who buys.
    pub customer: Option<CustomerId>,
    /// What; the same product twice is summed.
    pub lines: Vec<LineQuantity>,
    /// Holds whose units count first.
    pub reservations: Vec<ReservationId>,
    /// Another payment deadline than the shop's, in milliseconds.
    pub payment_deadline_ms: Option<u64>,
    /// Whether it may be longer than the shop's: staff may, customers may not.
    pub may_lengthen_deadline: bool,
    /// What is seldom given.
    pub details: Option<Box<Details>>,
}

/// An order priced and ready to be allocated.
#[doc = include_str!("../../docs/quote.md")]
#[derive(Clone, Debug, PartialEq)]
pub struct Quote {
    /// Of the shop.
    pub sourcing: Sourcing,
    /// Warehouses in the order in which they are asked.
    pub candidates: Vec<WarehouseId>,
    /// One line for each product, in the order they were first named.
    pub lines: Vec<Line>,
    deadline_ms: u64,
    shop: Arc<Shop>,
    priced_at: Sequence,
}

impl Quote {
    /// At most how many bytes the order will take in the journal: what one group may hold has a bound. The holds that become its
    /// own have `held` allocations in all.
    #[doc = include_str!("../../docs/quote_bytes_max.md")]
    #[must_use]
    pub fn bytes_max(&self, request: &PlaceOrder, held: usize) -> usize {
        // Three numbers of a line (product, quantity, price), three of an allocation, four of a release; each at most 9 bytes. Before
        // them the order's head, and what says whose it is: two origins in a batch under a key.
        const HEAD: usize = 192;
        const LINE: usize = 27;
        const RELEASE: usize = 36;
        let allocations = |line: &Line| self.candidates.len().min(line.quantity as usize);
        let lines: usize = self.lines.iter().map(|line| LINE + LINE * allocations(line)).sum();
        let holds = HEAD * request.reservations.len() + (LINE + RELEASE) * held;
        HEAD + lines + holds + request.details.as_deref().map_or(0, Details::bytes)
    }
}

impl PlaceOrder {
    /// An order of these lines from a shop, and nothing else.
    #[doc = include_str!("../../docs/place_order_new.md")]
    #[must_use]
    pub fn new(shop: ShopId, lines: Vec<LineQuantity>) -> Self {
        Self {
            shop,
            customer: None,
            lines,
            reservations: Vec::new(),
            payment_deadline_ms: None,
            may_lengthen_deadline: true,
            details: None,
        }
    }

    /// Sums duplicate lines, prices them by the catalogue (as of its event `priced_at`) and finds the warehouses to ask.
    ///
    /// # Errors
    /// A field out of range, or a product that this shop cannot sell now.
    #[doc = include_str!("../../docs/place_order_quote.md")]
    pub fn quote(&self, catalogue: &Catalogue, priced_at: Sequence) -> Result<Quote, Refusal> {
        let shop = catalogue.shop(self.shop)?;
        self.check_reservations()?;
        let lines = self.price(catalogue, shop)?;
        let deadline_ms = self.deadline_ms(shop)?;
        let ship_to = self.check_details()?;
        let rule = shop.sourcing.rule;
        Ok(Quote {
            sourcing: shop.sourcing,
            candidates: candidates(rule, catalogue.sources(shop), ship_to),
            lines,
            deadline_ms,
            shop: shop.clone(),
            priced_at,
        })
    }

    fn price(&self, catalogue: &Catalogue, shop: &Shop) -> Result<Vec<Line>, Refusal> {
        let mut lines: Vec<Line> = Vec::with_capacity(self.lines.len());
        for (product, quantity) in sum_lines(&self.lines, ORDER_LINES_MAX)? {
            let unit_price = catalogue.sellable(product, shop)?.price;
            lines.push(Line { product, quantity, unit_price });
        }
        let mut total: i64 = 0;
        for line in &lines {
            let line_total = line.unit_price.checked_mul(line.quantity as i64);
            total = line_total
                .and_then(|line_total| total.checked_add(line_total))
                .filter(|total| *total <= TOTAL_MAX)
                .ok_or(Refusal::AmountTooLarge("total_price"))?;
        }
        Ok(lines)
    }

    fn check_reservations(&self) -> Result<(), Refusal> {
        if self.reservations.len() > ORDER_LINES_MAX {
            let detail = format!("must have at most {ORDER_LINES_MAX} entries");
            return Err(Refusal::invalid("reservation_ids", detail));
        }
        // Claimed twice, a hold would be refused because of the very order that asks for it.
        let mut named = rustc_hash::FxHashSet::default();
        match self.reservations.iter().position(|reservation| !named.insert(*reservation)) {
            Some(at) => {
                let detail = format!("names reservation {} twice", self.reservations[at]);
                Err(Refusal::invalid(format!("reservation_ids/{at}"), detail))
            }
            None => Ok(()),
        }
    }

    fn deadline_ms(&self, shop: &Shop) -> Result<u64, Refusal> {
        let Some(ms) = self.payment_deadline_ms else {
            return Ok(shop.payment_deadline_ms);
        };
        check_deadline("payment_deadline_seconds", ms)?;
        if ms > shop.payment_deadline_ms && !self.may_lengthen_deadline {
            let detail = format!("must be at most the shop's {}", shop.payment_deadline_ms / 1_000);
            return Err(Refusal::invalid("payment_deadline_seconds", detail));
        }
        Ok(ms)
    }

    fn check_details(&self) -> Result<Option<ShipTo>, Refusal> {
        let Some(details) = &self.details else {
            return Ok(None);
        };
        details
            .note
            .as_ref()
            .map_or(Ok(()), |note| check_optional_text("note", note, LONG_TEXT_MAX))?;
        details
            .reference
            .as_ref()
            .map_or(Ok(()), |text| check_text("reference", text, TEXT_MAX))?;
        check_attributes("metadata", &details.metadata)?;
        if let Some(to) = &details.ship_to {
            check_place("ship_to", (to.latitude_e6, to.longitude_e6))?;
        }
        Ok(details.ship_to)
    }
}

impl Quote {
    /// The lines as (product, quantity), for the planner.
    #[doc = include_str!("../../docs/quote_wanted.md")]
    #[must_use]
    pub fn wanted(&self) -> Vec<(ProductId, Quantity)> {
        self.lines.iter().map(|line| (line.product, line.quantity)).collect()
    }

    /// The order, once every line is allocated. The decision that adopts what was reserved and claimed for it.
    #[doc = include_str!("../../docs/quote_place.md")]
    #[must_use]
    pub fn place(
        self,
        request: PlaceOrder,
        id: OrderId,
        mut allocations: Vec<Allocation>,
        at: Timestamp,
    ) -> Placed {
        allocations.sort_by_key(|allocation| allocation.line);
        Placed {
            id,
            customer: request.customer,
            shop: self.shop.id,
            currency: self.shop.currency,
            at,
            payment_deadline_ms: self.deadline_ms,
            priced_at: self.priced_at,
            lines: self.lines,
            allocations,
            details: request.details,
        }
    }
}

/// Sums the same product named twice, keeping the order in which products were first named.
///
/// # Errors
/// No line, too many, a quantity out of range, or a sum that is.
pub(crate) fn sum_lines(
    lines: &[LineQuantity],
    lines_max: usize,
) -> Result<Vec<(ProductId, Quantity)>, Refusal> {
    if lines.is_empty() || lines.len() > lines_max {
        return Err(Refusal::invalid("lines", format!("must have 1 to {lines_max} entries")));
    }
    if let [only] = lines {
        check_quantity(|| "lines/0/quantity".into(), only.quantity)?;
        return Ok(vec![(only.product, only.quantity)]);
    }
    let mut index = rustc_hash::FxHashMap::default();
    let mut sums: Vec<(ProductId, Quantity)> = Vec::with_capacity(lines.len());
    for (at, line) in lines.iter().enumerate() {
        check_quantity(|| format!("lines/{at}/quantity"), line.quantity)?;
        let place = *index.entry(line.product).or_insert(sums.len());
        match sums.get_mut(place) {
            Some((_, sum)) if *sum + line.quantity > QUANTITY_MAX => {
                let detail =
                    format!("product {} must be at most {QUANTITY_MAX} in all", line.product);
                return Err(Refusal::invalid(format!("lines/{at}/quantity"), detail));
            }
            Some((_, sum)) => *sum += line.quantity,
            None => sums.push((line.product, line.quantity)),
        }
    }
    Ok(sums)
}
