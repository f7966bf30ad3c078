//! How pages lie in sled.
//!
//! A page is a key and a value of any length. It is stored as parts: the key of a part is the
//! length of the page's key (two bytes, big-endian), the page's key, and the part's number (two
//! bytes, big-endian), so that the parts of a page lie side by side. The value of a part is a
//! checksum over its key and everything behind the checksum (four bytes), the number of parts of
//! the page (two bytes), and up to 4,000 bytes.

/// Bytes of a page in one part; with its key and head it stays below the 4 KB from which sled uses
/// blob files.
pub const PART_BYTES_MAX: usize = 4000;

/// Parts of one page: 64 MB, far above any page.
pub const PARTS_MAX: usize = 16 * 1024;

/// The longest key of a page.
pub(super) const KEY_BYTES_MAX: usize = 64;

const HEAD_BYTES: usize = 6;

/// The key under which a batch's position lies. A page's part has a key of at least four bytes.
pub(super) const POSITION_KEY: &[u8] = b"p";

pub(super) fn part_key(key: &[u8], part: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(key.len() + 4);
    bytes.extend_from_slice(&(key.len() as u16).to_be_bytes());
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(&(part as u16).to_be_bytes());
    bytes
}

/// The page's key and the number of the part.
pub(super) fn split_key(part_key: &[u8]) -> Option<(&[u8], usize)> {
    let (len, rest) = part_key.split_first_chunk::<2>()?;
    let (key, part) = rest.split_last_chunk::<2>()?;
    (key.len() == usize::from(u16::from_be_bytes(*len)))
        .then(|| (key, usize::from(u16::from_be_bytes(*part))))
}

pub(super) fn part_value(part_key: &[u8], parts: usize, bytes: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(HEAD_BYTES + bytes.len());
    value.extend_from_slice(&[0; 4]);
    value.extend_from_slice(&(parts as u16).to_le_bytes());
    value.extend_from_slice(bytes);
    let crc = crc32c::crc32c_append(crc32c::crc32c(part_key), &value[4..]);
    value[..4].copy_from_slice(&crc.to_le_bytes());
    value
}

/// Splits a value into its number of parts and its bytes, if its checksum is right.
pub(super) fn open_value<'a>(part_key: &[u8], value: &'a [u8]) -> Option<(usize, &'a [u8])> {
    let (crc, rest) = value.split_first_chunk::<4>()?;
    if crc32c::crc32c_append(crc32c::crc32c(part_key), rest) != u32::from_le_bytes(*crc) {
        return None;
    }
    let (parts, bytes) = rest.split_first_chunk::<2>()?;
    Some((usize::from(u16::from_le_bytes(*parts)), bytes))
}

/// What a part adds to the sum over the store. Depends on the key and the checksum, so that neither
/// a part that vanished nor one that came back from the past goes unseen.
pub(super) fn fingerprint(part_key: &[u8], value: &[u8]) -> u64 {
    let crc = value.split_first_chunk::<4>().map_or(0, |(crc, _)| u32::from_le_bytes(*crc));
    let mut z = u64::from(crc) << 32 | u64::from(crc32c::crc32c(part_key));
    // splitmix64: sums of plain checksums would cancel out too easily.
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
