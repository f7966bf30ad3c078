//! Kinds of fields that bodies have.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use stockade_domain::catalogue::Attributes;

use crate::problem::Problem;

/// A field of the answer that a body may repeat, and that changes nothing.
#[derive(Debug, Default)]
pub(crate) struct ReadOnly;

impl<'de> Deserialize<'de> for ReadOnly {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

/// What is ignored is JSON like all else: no name twice, and no deeper than the reader goes.
impl<'de> Visitor<'de> for ReadOnly {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self, A::Error> {
        while entries.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Self, A::Error> {
        Entries::<Self>::read(entries).map(|_| self)
    }
}

/// Takes a field of the answer that another method writes: it may be repeated as it is, and not silently be ignored.
pub(crate) fn unchanged<T: PartialEq>(
    field: &str,
    given: Option<T>,
    now: &T,
    writes: &str,
) -> Result<(), Problem> {
    match given {
        Some(given) if given != *now => {
            let detail = format!("is not what it is now; {writes} changes it");
            Err(Problem::field(format!("/{field}"), detail))
        }
        _ => Ok(()),
    }
}

/// Reads a field that may be absent, but not null: there is nothing to put in its place.
pub(crate) fn not_null<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// A field of a merge-patch (RFC 7396): absent leaves, null removes, anything else replaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Patch<T> {
    /// The field is not in the body.
    #[default]
    Absent,
    /// It is null.
    Null,
    /// It has this value.
    Value(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(|value| value.map_or(Self::Null, Self::Value))
    }
}

impl<T> Patch<T> {
    /// Where there is nothing to remove, null is the same as `empty`.
    pub(crate) fn or_empty(self, empty: T) -> Option<T> {
        match self {
            Self::Absent => None,
            Self::Null => Some(empty),
            Self::Value(value) => Some(value),
        }
    }

    /// Absent, removed, or a value.
    pub(crate) fn optional(self) -> Option<Option<T>> {
        match self {
            Self::Absent => None,
            Self::Null => Some(None),
            Self::Value(value) => Some(Some(value)),
        }
    }
}

/// An object whose keys the caller chooses. A key that is written twice is refused, not won by the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entries<V>(pub(crate) BTreeMap<Box<str>, V>);

impl<V> Default for Entries<V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

/// Texts by name.
pub(crate) type Texts = Entries<Box<str>>;

/// Texts by name, of which null removes one.
pub(crate) type TextsPatch = Entries<Option<Box<str>>>;

impl TextsPatch {
    /// Applies it to what is there.
    pub(crate) fn merge(self, before: &Attributes) -> Attributes {
        let mut merged = before.clone();
        for (name, value) in self.0 {
            match value {
                Some(value) => merged.insert(name, value),
                None => merged.remove(&name),
            };
        }
        merged
    }
}

impl<'de, V: Deserialize<'de>> Entries<V> {
    fn read<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<Box<str>, V>()? {
            if entries.contains_key(&name) {
                return Err(de::Error::custom(format!("duplicate field `{name}`")));
            }
            entries.insert(name, value);
        }
        Ok(Self(entries))
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Entries<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Map<V> {
            type Value = Entries<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Entries::read(map)
            }
        }
        deserializer.deserialize_map(Map(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_tells_absent_from_null() {
        #[derive(Deserialize)]
        struct Body {
            #[serde(default)]
            name: Patch<String>,
        }
        let read = |json| serde_json::from_str::<Body>(json).unwrap().name;
        assert_eq!(read("{}"), Patch::Absent);
        assert_eq!(read(r#"{"name": null}"#), Patch::Null);
        assert_eq!(read(r#"{"name": "x"}"#), Patch::Value("x".into()));
    }

    #[test]
    fn entries_merge_by_name_and_refuse_a_name_twice() {
        let before = serde_json::from_str::<Texts>(r#"{"a": "1", "b": "2"}"#).unwrap().0;
        let patch = serde_json::from_str::<TextsPatch>(r#"{"a": null, "c": "3"}"#).unwrap();
        let merged: Vec<_> = patch.merge(&before).into_iter().collect();
        assert_eq!(merged, [("b".into(), "2".into()), ("c".into(), "3".into())]);
        assert!(serde_json::from_str::<Texts>(r#"{"a": "1", "a": "2"}"#).is_err());
    }
}
