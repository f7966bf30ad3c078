//! Events to bytes and back.
//!
//! The problem: bincode is small and fast, but unmaintained, without a checksum, and it trusts the
//! lengths it reads. The answer: nothing outside this file knows it. Frames carry the checksum, the
//! segment's header carries the format version, lengths are capped here, and bytes left over are
//! refused rather than ignored.

use serde::{Serialize, de::DeserializeOwned};

/// The longest event that is read back, in bytes: far above what one event can be, far below what
/// would hurt if a length were nonsense.
pub const EVENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why bytes are not an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The bytes are not what this type is written as.
    #[error("not an event this version knows: {0} (was it written by a newer version?)")]
    Invalid(String),
    /// The event ends before the bytes do.
    #[error("the event ends after {used} of {len} bytes (was it written by a newer version?)")]
    Trailing {
        /// Bytes the event took.
        used: usize,
        /// Bytes there were.
        len: usize,
    },
}

/// Appends the bytes of `event` to `out`: varint integers, enum variants by number.
///
/// # Panics
///
/// If the type's own `Serialize` refuses (a sequence of unknown length). Derived ones never do.
pub fn encode<E: Serialize>(event: &E, out: &mut Vec<u8>) {
    let start = out.len();
    if let Err(error) =
        bincode::serde::encode_into_std_write(event, out, bincode::config::standard())
    {
        out.truncate(start);
        panic!("an event type cannot be written: {error}");
    }
}

/// The longest page of many things that is read back, in bytes: 32 of the largest orders fit in.
pub const PAGE_BYTES_MAX: usize = 512 * 1024 * 1024;

/// Reads back one event that [`encode`] wrote; every byte must belong to it.
pub fn decode<E: DeserializeOwned>(bytes: &[u8]) -> Result<E, CodecError> {
    decode_up_to::<E, EVENT_BYTES_MAX>(bytes)
}

/// Reads back a page of many things that [`encode`] wrote.
pub fn decode_page<E: DeserializeOwned>(bytes: &[u8]) -> Result<E, CodecError> {
    decode_up_to::<E, PAGE_BYTES_MAX>(bytes)
}

fn decode_up_to<E: DeserializeOwned, const MAX: usize>(bytes: &[u8]) -> Result<E, CodecError> {
    let config = bincode::config::standard().with_limit::<MAX>();
    let (event, used) = bincode::serde::decode_from_slice(bytes, config)
        .map_err(|error| CodecError::Invalid(error.to_string()))?;
    if used != bytes.len() {
        return Err(CodecError::Trailing { used, len: bytes.len() });
    }
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_and_nothing_is_left_over() {
        let event = (7u64, "sku".to_owned(), vec![1u32, 300, 70_000]);
        let mut bytes = Vec::new();
        encode(&event, &mut bytes);
        assert_eq!(decode::<(u64, String, Vec<u32>)>(&bytes).unwrap(), event);
        bytes.push(0);
        assert_eq!(
            decode::<(u64, String, Vec<u32>)>(&bytes),
            Err(CodecError::Trailing { used: bytes.len() - 1, len: bytes.len() })
        );
    }

    #[test]
    fn a_length_of_nonsense_allocates_nothing() {
        let mut bytes = Vec::new();
        encode(&u64::MAX, &mut bytes);
        assert!(matches!(decode::<Vec<u8>>(&bytes), Err(CodecError::Invalid(_))));
    }
}
