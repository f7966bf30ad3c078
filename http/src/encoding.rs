//! Which encodings of an answer a client takes (`Accept-Encoding`).

use actix_web::{
    dev::ServiceRequest,
    http::header::{
        ACCEPT_ENCODING, AcceptEncoding, Encoding, Header, Preference, Quality, QualityItem,
        TryIntoHeaderValue,
    },
};

/// Names what `*` stands for where a client takes everything but a plain answer: the compression, which stands behind this, takes
/// `*` for a plain one, too.
pub(crate) fn spell_out(req: &mut ServiceRequest) {
    let mut given = req.headers().get_all(ACCEPT_ENCODING);
    if !given.any(|value| value.as_bytes().contains(&b'*')) {
        return;
    }
    let Ok(AcceptEncoding(mut accepted)) = AcceptEncoding::parse(req) else { return };
    let plain = Preference::Specific(Encoding::identity());
    let is_refused = |item: &QualityItem<_>| item.item == plain && item.quality == Quality::ZERO;
    let star = accepted.iter().position(|item| item.item == Preference::Any);
    let Some(star) = star.filter(|_| accepted.iter().any(is_refused)) else { return };
    let quality = accepted.remove(star).quality;
    for known in [Encoding::zstd(), Encoding::gzip(), Encoding::deflate()] {
        let known = Preference::Specific(known);
        if accepted.iter().all(|item| item.item != known) {
            accepted.push(QualityItem::new(known, quality));
        }
    }
    if let Ok(value) = AcceptEncoding(accepted).try_into_value() {
        req.headers_mut().insert(ACCEPT_ENCODING, value);
    }
}
