//! The query of a request: every parameter is known and well formed, or the request is refused and told which is not.

use actix_web::{HttpMessage, HttpRequest, web::Query};
use stockade_domain::Timestamp;

use crate::{
    problem::{Code, Fault, Problem},
    time,
};

/// Ids stay exact in every JSON reader.
pub(crate) const ID_MAX: u64 = (1 << 53) - 1;

/// The most ids that `ids` names.
const IDS_MAX: usize = 100;

/// What is wrong with the headers of a request. It is told with what is wrong with its query: behind that the thing, of which the
/// headers speak, does not exist.
#[derive(Default)]
struct HeaderFaults(Vec<(&'static str, &'static str)>);

/// Notes that a header of a request is wrong.
pub(crate) fn fault_of_header(req: &HttpRequest, name: &'static str, detail: &'static str) {
    let mut extensions = req.extensions_mut();
    if extensions.get::<HeaderFaults>().is_none() {
        extensions.insert(HeaderFaults::default());
    }
    if let Some(HeaderFaults(faults)) = extensions.get_mut() {
        faults.push((name, detail));
    }
}

/// Parameters that nobody has taken yet, and what was wrong with those that were.
#[derive(Debug, Default)]
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
    faults: Vec<(Code, Fault)>,
}

impl Params {
    /// The parameters of a request.
    pub(crate) fn of(req: &HttpRequest) -> Self {
        let mut params = Self::of_query(req.query_string());
        if let Some(HeaderFaults(faults)) = req.extensions().get() {
            let fault = |&(name, detail): &(&str, &str)| {
                (Code::Invalid, Fault::header(name, Code::Invalid, detail))
            };
            params.faults.extend(faults.iter().map(fault));
        }
        params
    }

    fn of_query(query: &str) -> Self {
        if query.is_empty() {
            return Self::default();
        }
        if !query.contains('%') {
            return Self { pairs: pairs(query), faults: Vec::new() };
        }
        let (whole, broken): (Vec<&str>, Vec<&str>) =
            query.split('&').partition(|pair| is_encoded(pair));
        let mut params = Self { pairs: pairs(&whole.join("&")), faults: Vec::new() };
        for pair in broken {
            let name = short(pair.split('=').next().unwrap_or_default());
            params.fault(&name, Code::Invalid, "is not percent-encoded UTF-8");
        }
        params
    }

    /// All that are still there.
    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// Whether a parameter is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(known, _)| known == name)
    }

    /// Notes that a parameter is wrong.
    pub(crate) fn fault(&mut self, name: &str, code: Code, detail: impl Into<String>) {
        self.faults.push((code, Fault::query(name, code, detail)));
    }

    /// Takes a parameter that may be repeated.
    pub(crate) fn all(&mut self, name: &str) -> Vec<String> {
        let of_name = |pair: &mut (String, String)| pair.0 == name;
        self.pairs.extract_if(.., of_name).map(|(_, value)| value).collect()
    }

    /// Takes a parameter that may be there once.
    pub(crate) fn one(&mut self, name: &str) -> Option<String> {
        let mut values = self.all(name);
        if values.len() > 1 {
            self.fault(name, Code::Invalid, "is there more than once");
        }
        values.pop()
    }

    /// Takes a parameter and reads it.
    pub(crate) fn read<T>(
        &mut self,
        name: &str,
        wanted: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.one(name)?;
        let value = read(&text);
        if value.is_none() {
            self.fault(name, Code::Invalid, format!("must be {wanted}"));
        }
        value
    }

    /// Takes an id.
    pub(crate) fn id(&mut self, name: &str) -> Option<u64> {
        self.read(name, "an id, a positive number", id)
    }

    /// Takes a count.
    pub(crate) fn count(&mut self, name: &str) -> Option<u64> {
        let wanted = format!("a number from 0 to {ID_MAX}");
        self.read(name, &wanted, |text| digits(text)?.parse().ok().filter(|count| *count <= ID_MAX))
    }

    /// Takes a moment.
    pub(crate) fn moment(&mut self, name: &str) -> Option<Timestamp> {
        self.read(name, "a moment such as 2026-01-31T12:00:00Z", time::parse)
    }

    /// Takes a yes or no.
    pub(crate) fn flag(&mut self, name: &str) -> Option<bool> {
        self.read(name, "true or false", |text| text.parse().ok())
    }

    /// Takes the ids that are asked for: in ascending order, each once.
    pub(crate) fn ids(&mut self) -> Option<Vec<u64>> {
        let wanted = format!("1 to {IDS_MAX} ids, separated by commas");
        let mut ids = self.read("ids", &wanted, |text| {
            let ids: Option<Vec<u64>> = text.split(',').map(id).collect();
            ids.filter(|ids| ids.len() <= IDS_MAX)
        })?;
        ids.sort_unstable();
        ids.dedup();
        Some(ids)
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// A parameter that nobody took, or that was wrong.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        for (name, _) in std::mem::take(&mut self.pairs) {
            self.fault(&short(&name), Code::UnknownParameter, "is not known here");
        }
        match self.faults.first() {
            None => Ok(()),
            Some((code, _)) => {
                let code = *code;
                let faults = self.faults.into_iter().map(|(_, fault)| fault).collect();
                Err(Problem::unprocessable(code, faults))
            }
        }
    }
}

/// Names and values, decoded.
pub(crate) fn pairs(query: &str) -> Vec<(String, String)> {
    let pairs = Query::<Vec<(String, String)>>::from_query(query);
    pairs.map(Query::into_inner).unwrap_or_default()
}

/// A name as an answer repeats it.
fn short(name: &str) -> String {
    name.chars().take(100).collect()
}

/// Whether every `%` begins two hex digits, and what they spell is UTF-8. The parser would let the first pass and mend the second.
fn is_encoded(text: &str) -> bool {
    let (mut bytes, mut left) = (Vec::with_capacity(text.len()), text.as_bytes());
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    while let [first, rest @ ..] = left {
        left = rest;
        let mut byte = *first;
        if byte == b'%' {
            let [high, low, rest @ ..] = rest else { return false };
            let (Some(high), Some(low)) = (digit(high), digit(low)) else { return false };
            (byte, left) = ((high << 4 | low) as u8, rest);
        }
        bytes.push(byte);
    }
    std::str::from_utf8(&bytes).is_ok()
}

/// A number as it is written: digits, and nothing before them.
pub(crate) fn digits(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
}

/// Reads an id.
pub(crate) fn id(text: &str) -> Option<u64> {
    digits(text)?.parse().ok().filter(|id| (1..=ID_MAX).contains(id))
}
