//! The named maxima of the domain. Each says why it stands where it stands.
#![doc = include_str!("../docs/limits_module.md")]

/// The most units one line, adjustment or policy may name: far above any real order, far below what sums could overflow.
#[doc = include_str!("../docs/limit_quantity_max.md")]
pub const QUANTITY_MAX: u64 = 1_000_000_000;

/// The most units one stock may hold: a million lines of the largest quantity still add up exactly.
#[doc = include_str!("../docs/limit_on_hand_max.md")]
pub const ON_HAND_MAX: u64 = 1_000_000_000_000_000;

/// The highest price of one unit, in minor units.
#[doc = include_str!("../docs/limit_price_max.md")]
pub const PRICE_MAX: i64 = 1_000_000_000_000;

/// The highest total of an order, in minor units: it stays an exact integer in every JSON reader (below 2^53).
#[doc = include_str!("../docs/limit_total_max.md")]
pub const TOTAL_MAX: i64 = 9_000_000_000_000_000;

/// The most lines of one order: the largest real invoice known to us has 1,114.
#[doc = include_str!("../docs/limit_order_lines_max.md")]
pub const ORDER_LINES_MAX: usize = 2_000;

/// The most lines of one reservation.
#[doc = include_str!("../docs/limit_hold_lines_max.md")]
pub const HOLD_LINES_MAX: usize = 2_000;

/// The most stocks of one adjustment.
#[doc = include_str!("../docs/limit_adjustment_lines_max.md")]
pub const ADJUSTMENT_LINES_MAX: usize = 1_000;

/// The most orders of one batch.
#[doc = include_str!("../docs/limit_batch_orders_max.md")]
pub const BATCH_ORDERS_MAX: usize = 1_000;

/// The most live holds of one customer on one product: hoarding stock with reservations is the attack on a system like this.
#[doc = include_str!("../docs/limit_holds_per_product_max.md")]
pub const HOLDS_PER_PRODUCT_MAX: usize = 10;

/// The most live holds of one owner key. A hold that was replaced in part still counts.
#[doc = include_str!("../docs/limit_holds_per_owner_max.md")]
pub const HOLDS_PER_OWNER_MAX: usize = 1_000;

/// The most payments recorded on one order, so that an order's size is bounded.
#[doc = include_str!("../docs/limit_payments_max.md")]
pub const PAYMENTS_MAX: usize = 1_000;

/// The most shipments, and the most returns, recorded on one order.
#[doc = include_str!("../docs/limit_parcels_max.md")]
pub const PARCELS_MAX: usize = 10_000;

/// The longest payment deadline, in milliseconds: 7 days.
#[doc = include_str!("../docs/limit_payment_deadline_ms_max.md")]
pub const PAYMENT_DEADLINE_MS_MAX: u64 = 7 * 24 * 3_600_000;

/// The payment deadline of a shop that names none, in milliseconds: 30 minutes.
#[doc = include_str!("../docs/limit_payment_deadline_ms_default.md")]
pub const PAYMENT_DEADLINE_MS_DEFAULT: u64 = 30 * 60_000;

/// The longest time to live of a reservation, in milliseconds: 7 days.
#[doc = include_str!("../docs/limit_hold_ttl_ms_max.md")]
pub const HOLD_TTL_MS_MAX: u64 = 7 * 24 * 3_600_000;

/// The longest time that a customer may hold something at a time, in milliseconds. The engine takes whatever staff may ask for; who
/// asks is known outside of it.
#[doc = include_str!("../docs/limit_hold_ttl_ms_customer_max.md")]
pub const HOLD_TTL_MS_CUSTOMER_MAX: u64 = 3_600_000;

/// The time to live of a reservation that names none, in milliseconds: 15 minutes.
#[doc = include_str!("../docs/limit_hold_ttl_ms_default.md")]
pub const HOLD_TTL_MS_DEFAULT: u64 = 15 * 60_000;

/// The longest name, sku, reference or reason, in bytes.
#[doc = include_str!("../docs/limit_text_max.md")]
pub const TEXT_MAX: usize = 255;

/// The longest description or note, in bytes.
#[doc = include_str!("../docs/limit_long_text_max.md")]
pub const LONG_TEXT_MAX: usize = 10_000;

/// The most attributes or metadata entries of one thing.
#[doc = include_str!("../docs/limit_attributes_max.md")]
pub const ATTRIBUTES_MAX: usize = 50;

/// The most warehouses a shop draws from.
#[doc = include_str!("../docs/limit_shop_warehouses_max.md")]
pub const SHOP_WAREHOUSES_MAX: usize = 100;

/// The longest e-mail address, in bytes: longer ones cannot be written to (RFC 5321).
#[doc = include_str!("../docs/limit_email_max.md")]
pub const EMAIL_MAX: usize = 254;

/// The shortest username, in bytes.
#[doc = include_str!("../docs/limit_username_min.md")]
pub const USERNAME_MIN: usize = 3;

/// The longest username, in bytes.
#[doc = include_str!("../docs/limit_username_max.md")]
pub const USERNAME_MAX: usize = 64;

/// The most sessions of one account that run at once: more than anybody has devices.
#[doc = include_str!("../docs/limit_sessions_max.md")]
pub const SESSIONS_MAX: usize = 20;

/// The longest time that a refresh token is good, in milliseconds: 90 days.
#[doc = include_str!("../docs/limit_session_ttl_ms_max.md")]
pub const SESSION_TTL_MS_MAX: u64 = 90 * 24 * 3_600_000;

/// The most API keys at once: each request by one looks among them.
#[doc = include_str!("../docs/limit_api_keys_max.md")]
pub const API_KEYS_MAX: usize = 100;

/// The most steps of the clock that are remembered: each lasted a while before it was believed, so that this many fill days.
#[doc = include_str!("../docs/limit_clock_steps_max.md")]
pub const CLOCK_STEPS_MAX: usize = 64;
