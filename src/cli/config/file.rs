//! The configuration file: TOML, read with the place of every key.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::{Assignment, Place, Value};
use crate::cli::Failure;

pub(super) fn read(path: &Path) -> Result<Vec<Assignment>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    parse(path, &text)
}

/// Every key of every section, in the order of the file.
pub(super) fn parse(path: &Path, text: &str) -> Result<Vec<Assignment>, Failure> {
    let line = |at: usize| 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
    let place = |at: usize| Place::File(path.into(), line(at));
    let table = DeTable::parse(text).map_err(|error| {
        let span = error.span().unwrap_or_default();
        let at = place(span.start);
        // It says where a key is that is there twice, not which.
        let named = match text.get(span) {
            Some(key) if error.message() == "duplicate key" => format!(" {key}"),
            _ => String::new(),
        };
        Failure::usage(format!("{at}: {}{named}", error.message()))
    })?;
    let mut found = Vec::new();
    for (section, value) in table.get_ref() {
        let at = section.span().start;
        match value.get_ref() {
            DeValue::Table(keys) => found.extend(keys.iter().map(|(key, value)| {
                let name = format!("{}.{}", section.get_ref(), key.get_ref());
                (key.span().start, name, convert(value.get_ref()))
            })),
            value => found.push((at, section.get_ref().to_string(), convert(value))),
        }
    }
    found.sort_by_key(|(at, ..)| *at);
    let assignment = |(at, name, value)| Assignment { place: place(at), name, value };
    Ok(found.into_iter().map(assignment).collect())
}

fn convert(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Integer(number) => {
            let digits = number.as_str().replace('_', "");
            i64::from_str_radix(&digits, number.radix())
                .map_or(Value::Other("too large"), Value::Number)
        }
        DeValue::Array(items) => {
            let texts = items.iter().map(|item| match item.get_ref() {
                DeValue::String(text) => Some(text.to_string()),
                _ => None,
            });
            texts.collect::<Option<Vec<_>>>().map_or(Value::Other("a list"), Value::List)
        }
        DeValue::Float(_) => Value::Other("a fraction"),
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Table(_) => Value::Other("a table"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_knows_its_line() {
        let text = "[http]\nlisten = [\"127.0.0.1:1\"]\n\n[engine]\nlanes = 1_0\n";
        let found = parse(Path::new("f"), text).unwrap();
        let found: Vec<_> = found.iter().map(|a| (a.place.to_string(), a.name.as_str())).collect();
        assert_eq!(found, [("f:2".to_owned(), "http.listen"), ("f:5".to_owned(), "engine.lanes")]);
        let error = parse(Path::new("f"), "[http]\nlisten = \n").unwrap_err().to_string();
        assert!(error.starts_with("f:2: "), "{error}");
    }
}
