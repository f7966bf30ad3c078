//! The one table from what the engine says to what clients read.

use actix_web::http::{StatusCode, header::WWW_AUTHENTICATE};
use stockade_actors::Error;
use stockade_domain::{Currency, Refusal, Shortage};

use crate::{
    gate::CHALLENGE,
    problem::{Code, Fault, Problem, ShortLine},
    time::Time,
};

/// Seconds after which a client may try again when the engine was at its bound: it works off its bound in less.
pub(crate) const RETRY_AFTER_SECONDS: u32 = 1;

/// Something that a refusal names.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Named<'a> {
    /// A field of the command, such as `lines/0/quantity`.
    Field(&'a str),
    /// A thing, such as product 7.
    Thing(&'static str, u64),
}

/// How the request wrote what a refusal names.
pub(crate) struct Request<'a> {
    /// The JSON pointer of something in the body; nothing for what the path names.
    pub(crate) locate: &'a dyn Fn(Named<'_>) -> Option<String>,
    /// The currency that amounts are in.
    pub(crate) currency: Option<Currency>,
}

impl Request<'_> {
    fn pointer(&self, named: Named<'_>) -> Option<String> {
        (self.locate)(named)
    }
}

/// The pointer of a field as the domain calls it; of no thing.
pub(crate) fn plain(named: Named<'_>) -> Option<String> {
    match named {
        Named::Field(field) => Some(format!("/{field}")),
        Named::Thing(..) => None,
    }
}

/// What a client reads when the path names everything there is to name.
impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        explain(error, &Request { locate: &plain, currency: None })
    }
}

/// What a client reads.
pub(crate) fn explain(error: Error, request: &Request<'_>) -> Problem {
    let unavailable = |code, detail| Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail);
    match error {
        Error::Refused(refusal) => refused(&refusal, request),
        Error::Overloaded => unavailable(
            Code::Overloaded,
            "more work is under way than the engine's bound; nothing was changed",
        )
        .with_retry_after(RETRY_AFTER_SECONDS),
        Error::NearlyFull => {
            unavailable(Code::Overloaded, "the disk is nearly full; nothing was changed")
                .with_retry_after(RETRY_AFTER_SECONDS)
        }
        Error::Draining => {
            unavailable(Code::Draining, "the engine is shutting down; nothing was changed")
        }
        Error::Stopped(reason) => {
            // The reason may name files: it is for the log.
            tracing::error!(%reason, "the engine has stopped");
            let detail = "the engine has stopped; what was under way may or may not have happened";
            unavailable(Code::Internal, detail)
        }
        Error::InBatch { error, .. } => explain(*error, request),
        Error::InProgress => {
            const DETAIL: &str = "a request with this idempotency key is still under way";
            let fault = of_key(request, Code::IdempotencyInProgress, DETAIL);
            Problem::new(StatusCode::CONFLICT, Code::IdempotencyInProgress, DETAIL)
                .with_faults(vec![fault])
                .with_retry_after(RETRY_AFTER_SECONDS)
        }
        Error::KeyReused => {
            let code = Code::IdempotencyKeyReused;
            Problem::unprocessable(
                code,
                vec![of_key(request, code, "was used for another request")],
            )
        }
        Error::PositionNotReached => {
            unavailable(Code::PositionNotReached, "the position is not reached yet")
                .with_retry_after(RETRY_AFTER_SECONDS)
        }
        Error::AlreadyDone { at } => Problem::done(at),
        Error::Panicked => Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            Code::Internal,
            "a rule of the engine failed; nothing was changed",
        ),
    }
}

/// What is wrong with an idempotency key: a row's own, or the header's.
fn of_key(request: &Request<'_>, code: Code, detail: &str) -> Fault {
    // At the top of a body there is no such field: the key is the header's.
    const TOP: &str = "/idempotency_key";
    match request.pointer(Named::Field("idempotency_key")).filter(|place| place != TOP) {
        Some(row) => Fault::body(row, code, detail),
        None => Fault::header("Idempotency-Key", code, detail),
    }
}

/// The table of refusals. Status, code, and what it is about.
fn refused(refusal: &Refusal, request: &Request<'_>) -> Problem {
    use StatusCode as S;
    let about = |kind, id| Some(Named::Thing(kind, id));
    let (status, code, named) = match refusal {
        Refusal::Invalid { field, .. } => {
            (S::UNPROCESSABLE_ENTITY, Code::Invalid, Some(Named::Field(field)))
        }
        Refusal::NotFound { kind, id } => (S::NOT_FOUND, Code::NotFound, about(kind, *id)),
        Refusal::InsufficientStock(shortages) => return short(refusal, shortages, request),
        Refusal::WarehouseInactive(id) => {
            (S::CONFLICT, Code::WarehouseInactive, about("warehouse", id.0))
        }
        Refusal::ProductArchived(id) => {
            (S::UNPROCESSABLE_ENTITY, Code::ProductArchived, about("product", id.0))
        }
        Refusal::ProductNotSoldHere(id) => {
            (S::UNPROCESSABLE_ENTITY, Code::ProductNotSoldHere, about("product", id.0))
        }
        Refusal::CurrencyMismatch { product, .. } => {
            (S::UNPROCESSABLE_ENTITY, Code::CurrencyMismatch, about("product", product.0))
        }
        Refusal::AmountTooLarge(what) => {
            // A total has no field of its own: it is of the lines.
            let field = if *what == "total_price" { "lines" } else { what };
            (S::UNPROCESSABLE_ENTITY, Code::AmountTooLarge, Some(Named::Field(field)))
        }
        Refusal::SkuTaken(_) => (S::CONFLICT, Code::SkuTaken, Some(Named::Field("sku"))),
        Refusal::VersionConflict { .. } => (S::CONFLICT, Code::VersionConflict, None),
        Refusal::StockChanged { product, .. } => {
            (S::CONFLICT, Code::VersionConflict, about("product", product.0))
        }
        Refusal::ReferenceTaken { .. } => {
            (S::CONFLICT, Code::ReferenceTaken, Some(Named::Field("reference")))
        }
        Refusal::OrderNotPayable(_) => (S::CONFLICT, Code::OrderNotPayable, None),
        Refusal::OrderAlreadyPaid => (S::CONFLICT, Code::OrderAlreadyPaid, None),
        Refusal::Overpayment { .. } => {
            (S::UNPROCESSABLE_ENTITY, Code::Overpayment, Some(Named::Field("amount")))
        }
        Refusal::IllegalTransition { .. } => (S::CONFLICT, Code::IllegalTransition, None),
        Refusal::ReservationExpired(id) => {
            (S::GONE, Code::ReservationExpired, about("reservation", id.0))
        }
        Refusal::ReservationReleased(id) => {
            (S::CONFLICT, Code::IllegalTransition, about("reservation", id.0))
        }
        // Not converted: that would be told for ever of an order that may come to nothing.
        Refusal::ReservationClaimed(id) => {
            (S::CONFLICT, Code::IllegalTransition, about("reservation", id.0))
        }
        Refusal::ReservationConverted { reservation, .. } => {
            (S::CONFLICT, Code::ReservationConverted, about("reservation", reservation.0))
        }
        Refusal::TooManyHolds => (S::TOO_MANY_REQUESTS, Code::TooManyHolds, None),
        Refusal::TooManyApiKeys(_) => (S::CONFLICT, Code::TooManyApiKeys, None),
        Refusal::TransferClosed(_) => (S::CONFLICT, Code::TransferClosed, None),
        Refusal::EmailTaken => (S::CONFLICT, Code::EmailTaken, Some(Named::Field("email"))),
        Refusal::UsernameTaken => {
            (S::CONFLICT, Code::UsernameTaken, Some(Named::Field("username")))
        }
        Refusal::LastAdmin => (S::CONFLICT, Code::LastAdmin, None),
        Refusal::RefreshTokenReused => (S::UNAUTHORIZED, Code::RefreshTokenReused, None),
        Refusal::SessionEnded => (S::UNAUTHORIZED, Code::Unauthenticated, None),
    };
    let detail = detail(refusal, request.currency);
    let Some(pointer) = named.and_then(|named| request.pointer(named)) else {
        let problem = Problem::new(status, code, detail);
        return match status {
            S::UNAUTHORIZED => problem.with_header(WWW_AUTHENTICATE, CHALLENGE),
            _ => problem,
        };
    };
    // What the path names is not there: 404. What the body names is not there: the body is wrong.
    let is_customer = matches!(refusal, Refusal::NotFound { kind: "customer", .. });
    let code = if is_customer { Code::CustomerNotFound } else { code };
    let fault = Fault::body(pointer, code, detail.clone());
    match refusal {
        Refusal::Invalid { .. } => Problem::unprocessable(code, vec![fault]),
        Refusal::NotFound { .. } if is_customer => Problem::unprocessable(code, vec![fault]),
        Refusal::NotFound { .. } => Problem::unprocessable(Code::Invalid, vec![fault]),
        _ => Problem::new(status, code, detail).with_faults(vec![fault]),
    }
}

fn detail(refusal: &Refusal, currency: Option<Currency>) -> String {
    match (refusal, currency) {
        (Refusal::Invalid { detail, .. }, _) => detail.clone(),
        (Refusal::Overpayment { due }, Some(currency)) => {
            let due = currency.format(*due);
            format!("must be above zero and at most the {due} {currency} due")
        }
        (Refusal::IllegalTransition { allowed, .. }, _) => {
            let legal = match allowed.as_slice() {
                [] => "nothing is legal now".to_owned(),
                allowed => format!("legal now: {}", allowed.join(", ")),
            };
            format!("{refusal}; {legal}")
        }
        _ => refusal.to_string(),
    }
}

fn short(refusal: &Refusal, shortages: &[Shortage], request: &Request<'_>) -> Problem {
    let fault = |short: &Shortage| {
        let named = Named::Thing("product", short.product.0);
        let pointer = request.pointer(named).unwrap_or_default();
        let detail = format!("{} wanted, {} available", short.wanted, short.available);
        Fault::body(pointer, Code::InsufficientStock, detail).with_shortage(ShortLine {
            product_id: short.product,
            warehouse_id: short.warehouse,
            wanted: short.wanted,
            available: short.available,
            frees_at: short.frees_at.map(Time),
        })
    };
    let faults = shortages.iter().map(fault).collect();
    Problem::new(StatusCode::CONFLICT, Code::InsufficientStock, refusal.to_string())
        .with_faults(faults)
}

/// What a client reads whose body names things: `locate` says where.
pub(crate) fn locating(
    locate: impl Fn(Named<'_>) -> Option<String>,
) -> impl FnOnce(Error) -> Problem {
    move |error| explain(error, &Request { locate: &locate, currency: None })
}

#[cfg(test)]
mod tests {
    use stockade_domain::{
        OrderId, ProductId, ReservationId, Timestamp, TransferId, WarehouseId, order::Status,
    };

    use super::*;

    /// Every refusal, with what a client reads of it.
    fn table() -> Vec<(Refusal, u16, &'static str)> {
        let short = Shortage {
            product: ProductId(7),
            warehouse: Some(WarehouseId(2)),
            wanted: 3,
            available: 1,
            frees_at: Some(Timestamp(0)),
        };
        let illegal = Refusal::IllegalTransition {
            from: Status::Paid,
            action: "delivered",
            allowed: vec!["shipped", "cancelled"],
        };
        let mismatch = Refusal::CurrencyMismatch {
            product: ProductId(7),
            found: Currency::JPY,
            wanted: Currency::USD,
        };
        let (reservation, order) = (ReservationId(7), OrderId(1));
        vec![
            (Refusal::invalid("lines/0/quantity", "must be 1"), 422, "invalid"),
            (Refusal::NotFound { kind: "product", id: 7 }, 404, "not_found"),
            (Refusal::InsufficientStock(vec![short]), 409, "insufficient_stock"),
            (Refusal::WarehouseInactive(WarehouseId(7)), 409, "warehouse_inactive"),
            (Refusal::ProductArchived(ProductId(7)), 422, "product_archived"),
            (Refusal::ProductNotSoldHere(ProductId(7)), 422, "product_not_sold_here"),
            (mismatch, 422, "currency_mismatch"),
            (Refusal::AmountTooLarge("total_price"), 422, "amount_too_large"),
            (Refusal::SkuTaken("S".into()), 409, "sku_taken"),
            (Refusal::VersionConflict { expected: 1, current: 2 }, 409, "version_conflict"),
            (
                Refusal::StockChanged { product: ProductId(7), seen: 2, there: 1 },
                409,
                "version_conflict",
            ),
            (
                Refusal::ReferenceTaken { reference: "r".into(), differs: "amount" },
                409,
                "reference_taken",
            ),
            (Refusal::OrderNotPayable(Status::Expired), 409, "order_not_payable"),
            (Refusal::OrderAlreadyPaid, 409, "order_already_paid"),
            (Refusal::Overpayment { due: 1_050 }, 422, "overpayment"),
            (illegal, 409, "illegal_transition"),
            (Refusal::ReservationExpired(reservation), 410, "reservation_expired"),
            (Refusal::ReservationReleased(reservation), 409, "illegal_transition"),
            (Refusal::ReservationClaimed(reservation), 409, "illegal_transition"),
            (Refusal::ReservationConverted { reservation, order }, 409, "reservation_converted"),
            (Refusal::TooManyHolds, 429, "too_many_holds"),
            (Refusal::TransferClosed(TransferId(7)), 409, "transfer_closed"),
            (Refusal::EmailTaken, 409, "email_taken"),
            (Refusal::UsernameTaken, 409, "username_taken"),
            (Refusal::LastAdmin, 409, "last_admin"),
            (Refusal::RefreshTokenReused, 401, "refresh_token_reused"),
            (Refusal::SessionEnded, 401, "unauthenticated"),
            (Refusal::TooManyApiKeys(100), 409, "too_many_api_keys"),
        ]
    }

    fn json(problem: &Problem) -> serde_json::Value {
        serde_json::to_value(problem).unwrap()
    }

    #[test]
    fn every_refusal_has_its_status_and_code() {
        let variants: std::collections::HashSet<_> =
            table().iter().map(|(refusal, ..)| std::mem::discriminant(refusal)).collect();
        assert_eq!(variants.len(), table().len(), "each variant once");
        for (refusal, status, code) in table() {
            let text = refusal.to_string();
            let problem = json(&Error::Refused(refusal).into());
            assert_eq!((&problem["status"], &problem["code"]), (&status.into(), &code.into()));
            assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{text}");
        }
    }

    #[test]
    fn what_the_body_names_is_pointed_at() {
        let locate = |named: Named<'_>| match named {
            Named::Thing(_, 7) => Some("/there".to_owned()),
            named => plain(named),
        };
        for (refusal, ..) in table() {
            let names_nothing = matches!(
                refusal,
                Refusal::VersionConflict { .. }
                    | Refusal::OrderNotPayable(_)
                    | Refusal::OrderAlreadyPaid
                    | Refusal::IllegalTransition { .. }
                    | Refusal::TooManyHolds
                    | Refusal::TransferClosed(_)
                    | Refusal::LastAdmin
                    | Refusal::RefreshTokenReused
                    | Refusal::SessionEnded
                    | Refusal::TooManyApiKeys(_)
            );
            let problem = json(&locating(locate)(Error::Refused(refusal)));
            assert_eq!(problem["errors"].is_null(), names_nothing, "{problem}");
        }
        let named = locating(locate)(Refusal::NotFound { kind: "product", id: 7 }.into());
        assert_eq!(json(&named)["status"], 422);
        let of_path = locating(locate)(Refusal::NotFound { kind: "product", id: 8 }.into());
        assert_eq!(json(&of_path)["status"], 404);
    }

    #[test]
    fn amounts_and_legal_steps_are_named() {
        let request = Request { locate: &plain, currency: Some(Currency::USD) };
        let problem = explain(Refusal::Overpayment { due: 1_050 }.into(), &request);
        assert!(problem.to_string().ends_with("at most the 10.50 USD due"), "{problem}");
        let short = table().swap_remove(2).0;
        let errors = json(&explain(short.into(), &request))["errors"][0].clone();
        assert_eq!((&errors["warehouse_id"], &errors["available"]), (&2.into(), &1.into()));
        assert_eq!(errors["frees_at"], "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn what_the_engine_cannot_do_now_is_503_and_tells_no_inner_things() {
        let problem = Problem::from(Error::Overloaded);
        assert_eq!(json(&problem)["code"], "overloaded");
        let answer = problem.render(None);
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers().get("retry-after").unwrap(), "1");
        assert_eq!(json(&Error::Draining.into())["code"], "draining");
        let stopped = json(&Error::Stopped("/some/file: disk full".into()).into());
        assert_eq!((&stopped["status"], &stopped["code"]), (&503.into(), &"internal".into()));
        assert!(!stopped.to_string().contains("disk full"));
        assert_eq!(json(&Error::Panicked.into())["status"], 500);
    }
}
