//! What a reader of JSON says is wrong, in the words of those who write JSON: they know no `u64`, no struct and no variant.

/// What was wanted instead of what was found.
pub(crate) fn of_clients(said: &str) -> String {
    let wrong = said.strip_prefix("invalid type: ").or(said.strip_prefix("invalid value: "));
    if let Some((found, wanted)) = wrong.and_then(|wrong| wrong.rsplit_once(", expected ")) {
        return format!("must be {}, not {}", self::wanted(wanted), self::found(found));
    }
    if let Some((_, names)) =
        said.strip_prefix("unknown variant `").and_then(|rest| rest.rsplit_once("`, expected "))
    {
        return format!("must be {}", names.replace('`', ""));
    }
    match said {
        // The body is JSON: what stands where a name is read is no text.
        "expected value" => "must be text".to_owned(),
        "recursion limit exceeded" => "is nested too deeply".to_owned(),
        ours => ours.to_owned(),
    }
}

/// What a type is called in JSON.
fn wanted(kind: &str) -> String {
    let named = match kind {
        "u64" | "usize" => "a whole number from 0",
        "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a string" | "str" | "unit" | "variant identifier" => "text",
        "a sequence" => "a list",
        "a map" => "an object",
        "u32" => return format!("a whole number from 0 to {}", u32::MAX),
        "i32" => return format!("a whole number from {} to {}", i32::MIN, i32::MAX),
        kind if kind.starts_with("struct ") => "an object",
        // Our own readers say it in these words already.
        kind => kind,
    };
    named.to_owned()
}

/// What there is in its place. Texts are not repeated: they may be long, or a secret.
fn found(what: &str) -> &str {
    let quoted = || what.split('`').nth(1).unwrap_or("something else");
    match what.split(' ').next().unwrap_or_default() {
        "boolean" | "integer" | "floating" | "number" => quoted(),
        "string" | "character" => "text",
        "sequence" => "a list",
        "map" => "an object",
        "unit" | "null" | "Option" => "null",
        _ => "something else",
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, de::DeserializeOwned};

    use super::*;
    use crate::strict::Strict;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Word {
        This,
        That,
        Other,
    }

    #[derive(Debug, Deserialize)]
    struct Thing {
        #[serde(rename = "n")]
        _n: u64,
    }

    #[track_caller]
    fn says<T: DeserializeOwned + std::fmt::Debug>(json: &str, words: &str) {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let said = T::deserialize(Strict(&mut deserializer)).unwrap_err().to_string();
        let said = said.split(" at line ").next().unwrap();
        assert_eq!(of_clients(said), words, "{said}");
    }

    #[test]
    fn types_are_called_what_they_are_in_json() {
        says::<u64>("\"1\"", "must be a whole number from 0, not text");
        says::<u64>("-1", "must be a whole number from 0, not -1");
        says::<u64>("1.5", "must be a whole number from 0, not 1.5");
        says::<u32>("5000000000", "must be a whole number from 0 to 4294967295, not 5000000000");
        says::<i64>("null", "must be a whole number, not null");
        says::<f64>("[]", "must be a number, not a list");
        says::<bool>("{}", "must be true or false, not an object");
        says::<String>("true", "must be text, not true");
        says::<Vec<u64>>("1", "must be a list, not 1");
        says::<Thing>("[1]", "must be an object, not a list");
        says::<Thing>("\"a, expected b\"", "must be an object, not text");
        says::<Word>("1", "must be text");
        says::<Word>("\"x\"", "must be one of this, that, other");
    }

    #[test]
    fn what_is_said_in_our_words_stays() {
        for said in ["must be an amount such as \"3.50\" or 3.50", "is missing"] {
            assert_eq!(of_clients(said), said);
        }
    }
}
