//! Lists: a page of rows, and a cursor that goes on where it ended.
//!
//! A cursor names the last row that was shown, not a count of rows, so that it stays valid while rows come and go. It carries a
//! hash of the filters: with others it would skip rows.

use std::{fmt::Write, hash::Hasher};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{HeaderValue, LINK},
};
use rustc_hash::FxHasher;
use serde::Serialize;

use crate::{
    answer,
    problem::{Code, Problem},
    query::{self, Params, digits},
};

/// Rows of a page that names no limit.
pub(crate) const LIMIT_DEFAULT: usize = 50;

/// The most rows that a page may name.
pub(crate) const LIMIT_MAX: usize = 500;

/// Which page is asked for.
#[derive(Debug)]
pub(crate) struct Page {
    /// The most rows.
    pub(crate) limit: usize,
    /// Where the page before ended, as the list itself wrote it.
    after: Option<Vec<u8>>,
    filters: u64,
}

impl Page {
    /// Takes `limit` and `cursor`; everything else that is still there is a filter.
    pub(crate) fn of(req: &HttpRequest, params: &mut Params) -> Self {
        let limit = limit(params);
        let cursor = params.one("cursor");
        let filters = hash(req, params);
        let mut page = Self { limit, after: None, filters };
        if let Some(cursor) = cursor {
            page.after = page.decode(&cursor);
            if page.after.is_none() {
                page.refuse(params);
            }
        }
        page
    }

    /// The same of a list that knows `ids`, one more filter: all that it names are one page, unless `limit` says otherwise.
    pub(crate) fn with_ids(req: &HttpRequest, params: &mut Params) -> (Self, Option<Vec<u64>>) {
        let is_limited = params.has("limit");
        let mut page = Self::of(req, params);
        let ids = params.ids();
        if let Some(ids) = ids.as_ref().filter(|_| !is_limited) {
            page.limit = page.limit.max(ids.len());
        }
        (page, ids)
    }

    /// A page of a list by id that knows no filters, and the id after which it begins.
    pub(crate) fn by_id(req: &HttpRequest) -> Result<(Self, u64), Problem> {
        let mut params = Params::of(req);
        let page = Self::of(req, &mut params);
        let after = page.after_id(&mut params);
        params.finish()?;
        Ok((page, after))
    }

    fn refuse(&self, params: &mut Params) {
        let detail = "must be the next_cursor of this list with the same filters";
        params.fault("cursor", Code::CursorInvalid, detail);
    }

    /// Where the page before ended, as the list reads it.
    pub(crate) fn after<T>(
        &self,
        params: &mut Params,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Option<T> {
        let position = read(self.after.as_deref()?);
        if position.is_none() {
            self.refuse(params);
        }
        position
    }

    /// The id after which the page begins, of a list by id.
    pub(crate) fn after_id(&self, params: &mut Params) -> u64 {
        self.after(params, |bytes| Some(u64::from_be_bytes(bytes.try_into().ok()?))).unwrap_or(0)
    }

    /// How many rows to look for: one more than are shown says whether there is a next page.
    pub(crate) fn look_for(&self) -> usize {
        self.limit + 1
    }

    /// The cursor of a list that ended at this position.
    pub(crate) fn cursor(&self, position: &[u8]) -> String {
        let mut cursor = String::with_capacity(16 + position.len() * 2);
        for byte in self.filters.to_be_bytes().iter().chain(position) {
            // Writing to a string cannot fail.
            let _ = write!(cursor, "{byte:02x}");
        }
        cursor
    }

    fn decode(&self, cursor: &str) -> Option<Vec<u8>> {
        let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
        let pairs = cursor.as_bytes().chunks(2);
        let bytes: Option<Vec<u8>> = pairs
            .map(|pair| match pair {
                [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
                _ => None,
            })
            .collect();
        let bytes = bytes?;
        let (filters, position) = bytes.split_at_checked(8)?;
        (filters == self.filters.to_be_bytes()).then(|| position.to_vec())
    }

    /// The answer, from up to [`Page::look_for`] things: how each is shown, and how a cursor names it.
    pub(crate) fn answer<'a, T, R: Serialize>(
        &self,
        req: &HttpRequest,
        things: &'a [T],
        position: impl FnOnce(&T) -> Vec<u8>,
        show: impl FnMut(&'a T) -> R,
    ) -> HttpResponse {
        let shown = &things[..things.len().min(self.limit)];
        let last = shown.last().filter(|_| things.len() > self.limit);
        let next_cursor = last.map(|thing| self.cursor(&position(thing)));
        let data = shown.iter().map(show).collect();
        let link = next_cursor.as_deref().map(|cursor| next_link(req, &["cursor"], cursor));
        linked(answer::ok(&List { data, next_cursor }), link)
    }

    /// The answer of a list by id.
    pub(crate) fn answer_by_id<'a, T, R: Serialize>(
        &self,
        req: &HttpRequest,
        things: &'a [T],
        id: impl FnOnce(&T) -> u64,
        show: impl FnMut(&'a T) -> R,
    ) -> HttpResponse {
        self.answer(req, things, |thing| id(thing).to_be_bytes().to_vec(), show)
    }
}

/// A page of rows.
#[derive(Serialize)]
pub(crate) struct List<R> {
    pub(crate) data: Vec<R>,
    pub(crate) next_cursor: Option<String>,
}

/// An answer that says where the list goes on.
pub(crate) fn linked(mut response: HttpResponse, link: Option<String>) -> HttpResponse {
    if let Some(link) = link.and_then(|link| HeaderValue::from_str(&link).ok()) {
        response.headers_mut().insert(LINK, link);
    }
    response
}

/// Takes `limit`.
pub(crate) fn limit(params: &mut Params) -> usize {
    let wanted = format!("a number from 1 to {LIMIT_MAX}");
    let limit = params.read("limit", &wanted, |text| {
        digits(text)?.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit))
    });
    limit.unwrap_or(LIMIT_DEFAULT)
}

/// The filters and the list they belong to; the mount does not matter.
fn hash(req: &HttpRequest, params: &Params) -> u64 {
    let mut pairs: Vec<_> = params.pairs().iter().collect();
    pairs.sort();
    let mut hasher = FxHasher::default();
    let path = answer::path(req);
    hasher.write(path.strip_prefix(answer::mount(req)).unwrap_or(path).as_bytes());
    for (name, value) in pairs {
        for part in [name, value] {
            hasher.write_usize(part.len());
            hasher.write(part.as_bytes());
        }
    }
    hasher.finish()
}

/// Where the list goes on: the same request, but for the parameters `instead`, in whose place the cursor comes.
pub(crate) fn next_link(req: &HttpRequest, instead: &[&str], cursor: &str) -> String {
    let mut link = format!("<{}?", req.path());
    let query = req.query_string().split('&');
    // In whatever letters a name is written, it is the same name.
    let stays =
        |pair: &&str| query::pairs(pair).iter().all(|(name, _)| !instead.contains(&&**name));
    for pair in query.filter(|pair| !pair.is_empty()).filter(stays) {
        link.push_str(pair);
        link.push('&');
    }
    link.push_str(&format!("cursor={cursor}>; rel=\"next\""));
    link
}

/// The first rows in some order, out of many.
///
/// Keeps at most twice what is wanted, so that a sorted page of a large list costs one pass and little memory.
pub(crate) struct Top<K, T> {
    rows: Vec<(K, T)>,
    wanted: usize,
    descending: bool,
    after: Option<K>,
}

impl<K: Ord, T> Top<K, T> {
    /// The first `wanted` rows behind `after`.
    pub(crate) fn new(wanted: usize, descending: bool, after: Option<K>) -> Self {
        Self { rows: Vec::new(), wanted, descending, after }
    }

    fn order(descending: bool, a: &K, b: &K) -> std::cmp::Ordering {
        if descending { b.cmp(a) } else { a.cmp(b) }
    }

    /// Offers a row.
    pub(crate) fn offer(&mut self, key: K, row: T) {
        let descending = self.descending;
        let behind = |after: &K| Self::order(descending, &key, after).is_gt();
        if !self.after.as_ref().is_none_or(behind) {
            return;
        }
        self.rows.push((key, row));
        if self.rows.len() >= self.wanted * 2 {
            self.rows
                .select_nth_unstable_by(self.wanted, |a, b| Self::order(descending, &a.0, &b.0));
            self.rows.truncate(self.wanted);
        }
    }

    /// The rows, in order.
    pub(crate) fn into_rows(mut self) -> Vec<(K, T)> {
        self.rows.sort_by(|a, b| Self::order(self.descending, &a.0, &b.0));
        self.rows.truncate(self.wanted);
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn the_first_rows_behind_a_key_in_either_order() {
        let rows = |descending, after| {
            let mut top = Top::new(3, descending, after);
            (0..100).map(|n| n * 37 % 100).for_each(|n| top.offer(n, ()));
            top.into_rows().into_iter().map(|(n, ())| n).collect::<Vec<_>>()
        };
        assert_eq!(rows(false, None), [0, 1, 2]);
        assert_eq!(rows(false, Some(41)), [42, 43, 44]);
        assert_eq!(rows(true, None), [99, 98, 97]);
        assert_eq!(rows(true, Some(2)), [1, 0]);
    }

    fn page(filters: u64) -> Page {
        Page { limit: 1, after: None, filters }
    }

    proptest! {
        #[test]
        fn a_cursor_is_read_as_what_it_was_made_of(
            filters in any::<u64>(),
            position in vec(any::<u8>(), 0..64),
        ) {
            let cursor = page(filters).cursor(&position);
            prop_assert_eq!(page(filters).decode(&cursor), Some(position));
            prop_assert_eq!(page(!filters).decode(&cursor), None);
        }

        #[test]
        fn any_text_is_read_or_refused(
            text in prop_oneof![any::<String>(), "[0-9a-fA-F]{0,80}"],
            filters in any::<u64>(),
        ) {
            let _ = page(filters).decode(&text);
        }
    }
}
