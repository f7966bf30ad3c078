//! Problems: every answer that is not a success, as RFC 9457 `application/problem+json`.

use std::{borrow::Cow, fmt};

use actix_web::{
    HttpResponse, ResponseError,
    body::BoxBody,
    http::{
        StatusCode,
        header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, VARY},
    },
};
use serde::{Serialize, Serializer};
use stockade_domain::{ProductId, Quantity, Sequence, WarehouseId};

use crate::{stock::LiveView, time::Time};

macro_rules! codes {
    ($($name:ident $code:literal $title:literal,)*) => {
        /// What clients switch on: the list is closed, and only grows.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Code {$(
            #[doc = $title]
            $name,
        )*}

        impl Code {
            /// The whole list.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its stable name.
            pub(crate) fn name(self) -> &'static str {
                match self {$(Self::$name => $code,)*}
            }

            fn title(self) -> &'static str {
                match self {$(Self::$name => $title,)*}
            }

            /// What `/errors/{code}` shows: a file of `docs/errors` for each.
            pub(crate) fn page(self) -> &'static str {
                match self {$(
                    Self::$name => include_str!(concat!("../../docs/errors/", $code, ".md")),
                )*}
            }
        }
    };
}

codes! {
    MalformedJson "malformed_json" "The body is not JSON",
    Invalid "invalid" "A value is not acceptable",
    UnknownField "unknown_field" "A field is not known",
    UnknownParameter "unknown_parameter" "A query parameter is not known",
    CursorInvalid "cursor_invalid" "The cursor does not belong to this list",
    Unauthenticated "unauthenticated" "The caller is not known",
    TokenExpired "token_expired" "The token has expired",
    InvalidCredentials "invalid_credentials" "Name and password do not fit",
    RefreshTokenReused "refresh_token_reused" "The refresh token was used before",
    Forbidden "forbidden" "The caller may not do this",
    NotFound "not_found" "There is no such thing",
    MethodNotAllowed "method_not_allowed" "The resource does not know this method",
    RequestTimeout "request_timeout" "The request came too slowly",
    BodyTooLarge "body_too_large" "The body is too large",
    UnsupportedMediaType "unsupported_media_type" "The body is in a format that is not read here",
    MisdirectedRequest "misdirected_request" "The request was meant for another host",
    EmailTaken "email_taken" "Another customer has this email",
    UsernameTaken "username_taken" "Another customer has this username",
    SkuTaken "sku_taken" "Another product has this sku",
    ReferenceTaken "reference_taken" "The reference names something else",
    LastAdmin "last_admin" "The last admin must stay",
    VersionConflict "version_conflict" "The thing has changed meanwhile",
    PreconditionFailed "precondition_failed" "The thing has changed meanwhile",
    PreconditionRequired "precondition_required" "The request must say which version it is about",
    InsufficientStock "insufficient_stock" "There is not enough stock",
    WarehouseInactive "warehouse_inactive" "The warehouse takes no new reservations",
    ProductArchived "product_archived" "The product is archived",
    ProductNotSoldHere "product_not_sold_here" "The shop does not sell the product",
    CurrencyMismatch "currency_mismatch" "The product is priced in another currency",
    AmountTooLarge "amount_too_large" "An amount is too large",
    CustomerNotFound "customer_not_found" "The customer does not exist",
    OrderNotPayable "order_not_payable" "The order can no longer be paid",
    OrderAlreadyPaid "order_already_paid" "The order is already paid",
    Overpayment "overpayment" "The payment is not within what is due",
    IllegalTransition "illegal_transition" "The present state does not allow this step",
    ReservationExpired "reservation_expired" "The reservation has expired",
    ReservationConverted "reservation_converted" "The reservation belongs to an order",
    TooManyHolds "too_many_holds" "There are too many live reservations",
    TooManyApiKeys "too_many_api_keys" "There are too many API keys",
    TransferClosed "transfer_closed" "The transfer is finished",
    IdempotencyKeyReused "idempotency_key_reused" "The idempotency key belongs to another request",
    IdempotencyInProgress "idempotency_in_progress" "The first request is still running",
    HistoryPruned "history_pruned" "The history begins later",
    RateLimited "rate_limited" "Too many requests",
    Overloaded "overloaded" "The engine is at its bound",
    Draining "draining" "The engine is shutting down",
    PositionNotReached "position_not_reached" "The position is not reached yet",
    Internal "internal" "Something failed inside",
}

/// A problem. Boxed: it travels in results whose other side is small.
#[derive(Debug)]
pub(crate) struct Problem(Box<Parts>);

#[derive(Debug)]
struct Parts {
    status: StatusCode,
    code: Code,
    detail: Cow<'static, str>,
    faults: Vec<Fault>,
    headers: Vec<(HeaderName, HeaderValue)>,
    close: bool,
    reservations: Option<Vec<LiveView>>,
    /// Where in the journal the command was decided that this one repeats.
    done: Option<Sequence>,
}

/// One thing that is wrong with a request.
#[derive(Debug, Serialize)]
pub(crate) struct Fault {
    #[serde(flatten)]
    place: Place,
    code: &'static str,
    detail: String,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    shortage: Option<ShortLine>,
}

/// Where it is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Place {
    /// In the body, as a JSON pointer (RFC 6901).
    Pointer(String),
    /// In the query.
    Parameter(String),
    /// In a header.
    Header(String),
}

/// What was short, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct ShortLine {
    pub(crate) product_id: ProductId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) warehouse_id: Option<WarehouseId>,
    pub(crate) wanted: Quantity,
    pub(crate) available: Quantity,
    pub(crate) frees_at: Option<Time>,
}

impl Fault {
    /// Something wrong in the body, at this JSON pointer.
    pub(crate) fn body(pointer: impl Into<String>, code: Code, detail: impl Into<String>) -> Self {
        let place = Place::Pointer(pointer.into());
        Self { place, code: code.name(), detail: detail.into(), shortage: None }
    }

    /// Something wrong in the query.
    pub(crate) fn query(name: impl Into<String>, code: Code, detail: impl Into<String>) -> Self {
        let place = Place::Parameter(name.into());
        Self { place, code: code.name(), detail: detail.into(), shortage: None }
    }

    /// Something wrong in a header.
    pub(crate) fn header(name: impl Into<String>, code: Code, detail: impl Into<String>) -> Self {
        let place = Place::Header(name.into());
        Self { place, code: code.name(), detail: detail.into(), shortage: None }
    }

    /// The same, with the counts of what is short.
    pub(crate) fn with_shortage(mut self, shortage: ShortLine) -> Self {
        self.shortage = Some(shortage);
        self
    }
}

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        code: Code,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(Parts {
            status,
            code,
            detail: detail.into(),
            faults: Vec::new(),
            headers: Vec::new(),
            close: false,
            reservations: None,
            done: None,
        }))
    }

    /// The command was carried out before. The gate knows what was answered then; a client never reads this.
    pub(crate) fn done(at: Sequence) -> Self {
        let detail = "the request was carried out before";
        let mut done = Self::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, detail);
        done.0.done = Some(at);
        done
    }

    /// Where it was decided what this is about, if it was carried out before.
    pub(crate) fn was_done(&self) -> Option<Sequence> {
        self.0.done
    }

    /// 422 with everything that is wrong; it takes the code of the first fault.
    pub(crate) fn unprocessable(code: Code, faults: Vec<Fault>) -> Self {
        let detail = summary(&faults);
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail).with_faults(faults)
    }

    /// The same, of a part of the body.
    pub(crate) fn under(mut self, place: &str) -> Self {
        for fault in &mut self.0.faults {
            if let Place::Pointer(pointer) = &mut fault.place {
                pointer.insert_str(0, place);
            }
        }
        if self.0.status == StatusCode::UNPROCESSABLE_ENTITY {
            self.0.detail = summary(&self.0.faults).into();
        }
        self
    }

    /// 422 for one value of the body.
    pub(crate) fn field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::unprocessable(Code::Invalid, vec![Fault::body(pointer, Code::Invalid, detail)])
    }

    /// 422 for an idempotency key in a body that is no batch.
    pub(crate) fn row_key() -> Self {
        let detail = "is for rows of a batch; send the header Idempotency-Key";
        let fault = Fault::body("/idempotency_key", Code::UnknownField, detail);
        Self::unprocessable(Code::UnknownField, vec![fault])
    }

    /// 404.
    pub(crate) fn not_found(kind: &str, id: u64) -> Self {
        Self::new(StatusCode::NOT_FOUND, Code::NotFound, format!("{kind} {id} does not exist"))
    }

    /// 405, with what the resource does know.
    pub(crate) fn method_not_allowed(allow: &str) -> Self {
        let detail = format!("this resource knows {allow}");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, Code::MethodNotAllowed, detail)
            .with_header(ALLOW, allow)
    }

    /// The problem of an answer that something below the handlers made.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => {
                Self::new(status, Code::NotFound, "there is nothing at this path")
            }
            StatusCode::NOT_ACCEPTABLE => {
                let detail = "must accept one of zstd, gzip, deflate, identity";
                let fault = Fault::header("Accept-Encoding", Code::Invalid, detail);
                Self::new(status, Code::Invalid, summary(std::slice::from_ref(&fault)))
                    .with_faults(vec![fault])
                    .with_header(VARY, "Accept-Encoding")
            }
            StatusCode::REQUEST_TIMEOUT => {
                Self::new(status, Code::RequestTimeout, "the request came too slowly")
            }
            StatusCode::PAYLOAD_TOO_LARGE => {
                Self::new(status, Code::BodyTooLarge, "the body is too large")
            }
            status if status.is_server_error() => {
                Self::new(status, Code::Internal, "the request could not be answered")
            }
            status => Self::new(status, Code::Invalid, "the request cannot be understood"),
        }
    }

    /// 503: no thread for work that must not run on a worker.
    pub(crate) fn no_thread(_: actix_web::error::BlockingError) -> Self {
        let detail = "the server is at its bound";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::Overloaded, detail).with_retry_after(1)
    }

    pub(crate) fn with_faults(mut self, faults: Vec<Fault>) -> Self {
        self.0.faults = faults;
        self
    }

    /// The same, in other words for people, of the one thing that is wrong as of all of it.
    pub(crate) fn with_detail(mut self, detail: String) -> Self {
        if let [only] = &mut self.0.faults[..] {
            only.detail.clone_from(&detail);
        }
        self.0.detail = detail.into();
        self
    }

    /// Lists the reservations in the way, the newest first.
    pub(crate) fn with_reservations(mut self, reservations: Vec<LiveView>) -> Self {
        self.0.reservations = Some(reservations);
        self
    }

    pub(crate) fn with_retry_after(self, seconds: u32) -> Self {
        self.with_header(RETRY_AFTER, &seconds.to_string())
    }

    /// With a header of its own; the value is made here, of plain letters.
    pub(crate) fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        self.0.headers.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
        self
    }

    /// The connection cannot go on after this: a body was not read to its end.
    pub(crate) fn closing(mut self) -> Self {
        self.0.close = true;
        self
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.0.status
    }

    /// As an answer.
    pub(crate) fn render(&self, request_id: Option<&str>) -> HttpResponse {
        let mut body = Vec::with_capacity(256);
        // Writing to memory cannot fail, and every key is text.
        let _ = serde_json::to_writer(&mut body, &self.body(request_id));
        let mut response = HttpResponse::build(self.0.status);
        response
            .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/problem+json")));
        for header in &self.0.headers {
            response.insert_header(header.clone());
        }
        if self.0.close {
            response.force_close();
        }
        response.body(body)
    }

    fn body<'a>(&'a self, request_id: Option<&'a str>) -> Body<'a> {
        let Parts { status, code, detail, faults, reservations, .. } = &*self.0;
        Body {
            kind: format!("/errors/{}", code.name()),
            title: code.title(),
            status: status.as_u16(),
            detail,
            code: code.name(),
            request_id,
            errors: faults,
            reservations: reservations.as_deref(),
        }
    }
}

fn summary(faults: &[Fault]) -> String {
    match faults {
        [only] => match &only.place {
            Place::Pointer(pointer) if pointer.is_empty() => only.detail.clone(),
            Place::Pointer(place) | Place::Parameter(place) | Place::Header(place) => {
                format!("{place}: {}", only.detail)
            }
        },
        _ => format!("{} things are wrong", faults.len()),
    }
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Fault],
    #[serde(skip_serializing_if = "Option::is_none")]
    reservations: Option<&'a [LiveView]>,
}

/// Inside another answer: a row of a batch.
impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.body(None).serialize(serializer)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.name(), self.0.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.0.status
    }

    /// Empty: the edge knows the request's id and writes the body.
    fn error_response(&self) -> HttpResponse<BoxBody> {
        HttpResponse::new(self.0.status)
    }
}

/// The answer to a path that nothing lives at.
pub(crate) async fn no_such_route() -> Result<HttpResponse, Problem> {
    Err(Problem::of_status(StatusCode::NOT_FOUND))
}
