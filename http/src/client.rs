//! Whose request it is when proxies stand between: the address nearest to the client that a trusted proxy vouches for.

use std::{fmt, net::IpAddr, str::FromStr};

use actix_web::{
    HttpRequest,
    http::header::{FORWARDED, HeaderName},
};
use thiserror::Error;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The most proxies that are walked through.
const HOPS_MAX: usize = 16;

/// An address, or all that begin with the same bits: `10.0.0.1`, `10.0.0.0/8`, `fd00::/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

/// The text is no address and no network.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("must be an address or a network, such as 10.0.0.1 or 10.0.0.0/8")]
pub struct NotANetwork;

impl Network {
    /// Whether the address is one of these.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                let mask = u32::MAX.checked_shl(32 - self.bits).unwrap_or(0);
                (ours.to_bits() ^ theirs.to_bits()) & mask == 0
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                let mask = u128::MAX.checked_shl(128 - self.bits).unwrap_or(0);
                (ours.to_bits() ^ theirs.to_bits()) & mask == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, given) = match text.split_once('/') {
            Some((address, given)) => (address, Some(given)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotANetwork)?;
        let all = bits(address);
        let bits = match given {
            Some(given) => given.parse().ok().filter(|given| *given <= all).ok_or(NotANetwork)?,
            None => all,
        };
        Ok(Self { address, bits })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bits == bits(self.address) {
            true => self.address.fmt(f),
            false => write!(f, "{}/{}", self.address, self.bits),
        }
    }
}

/// How many bits an address has.
fn bits(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Where a request comes from. Nothing if the connection has no address.
///
/// A proxy that writes one of the two headers passes the other on as the client wrote it, so that a request in which they disagree
/// counts as the proxy's own.
pub(crate) fn address(req: &HttpRequest, trusted: &[Network]) -> Option<IpAddr> {
    let peer = req.peer_addr()?.ip().to_canonical();
    if trusted.is_empty() {
        return Some(peer);
    }
    let by_list = listed(req, &X_FORWARDED_FOR).map(|hops| walk(peer, &hops, trusted));
    let by_standard = listed(req, &FORWARDED).map(|hops| walk(peer, &hops, trusted));
    match (by_list, by_standard) {
        (Some(one), Some(other)) if one != other => Some(peer),
        (one, other) => one.or(other).or(Some(peer)),
    }
}

/// From the connection towards the client, as long as a trusted proxy says who was before it.
fn walk(peer: IpAddr, hops: &[Option<IpAddr>], trusted: &[Network]) -> IpAddr {
    let mut client = peer;
    for hop in hops.iter().rev().take(HOPS_MAX) {
        match hop {
            Some(before) if trusted.iter().any(|network| network.contains(client)) => {
                client = *before;
            }
            _ => break,
        }
    }
    client
}

/// The hops of a header, the client's first; nothing for one that names no address.
fn listed(req: &HttpRequest, name: &HeaderName) -> Option<Vec<Option<IpAddr>>> {
    let mut found = None;
    for value in req.headers().get_all(name) {
        let hops: &mut Vec<_> = found.get_or_insert_default();
        let is_list = name == X_FORWARDED_FOR;
        hops.extend(value.to_str().unwrap_or_default().split(',').map(|element| {
            if is_list { hop(element) } else { element.split(';').find_map(named) }
        }));
    }
    found
}

/// The `for` of an element of `Forwarded` (RFC 7239).
fn named(pair: &str) -> Option<IpAddr> {
    let (name, value) = pair.split_once('=')?;
    name.trim().eq_ignore_ascii_case("for").then(|| hop(value)).flatten()
}

/// An address, perhaps quoted, in brackets, or with a port.
fn hop(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => text,
    };
    let without_port = || bare.rsplit_once(':')?.0.parse().ok();
    let address: Option<IpAddr> = bare.parse().ok().or_else(without_port);
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn from(peer: &str, headers: &[(&str, &str)], trusted: &[&str]) -> String {
        let trusted: Vec<Network> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        let mut request = TestRequest::get().peer_addr(format!("{peer}:1234").parse().unwrap());
        for (name, value) in headers {
            request = request.append_header((*name, *value));
        }
        address(&request.to_http_request(), &trusted).unwrap().to_string()
    }

    #[test]
    fn networks_contain_what_begins_with_their_bits() {
        let holds = |network: &str, address: &str| {
            network.parse::<Network>().unwrap().contains(address.parse().unwrap())
        };
        assert!(holds("10.0.0.0/8", "10.9.8.7") && !holds("10.0.0.0/8", "11.0.0.0"));
        assert!(holds("10.0.0.1", "10.0.0.1") && !holds("10.0.0.1", "10.0.0.2"));
        assert!(holds("0.0.0.0/0", "255.1.2.3") && !holds("0.0.0.0/0", "::1"));
        assert!(holds("10.0.0.0/8", "::ffff:10.0.0.1"), "the same address in other letters");
        assert!(holds("fd00::/8", "fdff::1") && !holds("fd00::/8", "fe00::1"));
        assert!(holds("::/0", "1::"));
        for wrong in ["", "x", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "10.0.0.0/", "10.0.0/8"] {
            assert_eq!(wrong.parse::<Network>(), Err(NotANetwork), "{wrong}");
        }
    }

    #[test]
    fn only_what_a_trusted_proxy_says_counts() {
        let list = [("x-forwarded-for", "1.1.1.1, 2.2.2.2"), ("x-forwarded-for", "10.0.0.2")];
        assert_eq!(from("9.9.9.9", &list, &[]), "9.9.9.9");
        assert_eq!(from("9.9.9.9", &list, &["10.0.0.0/8"]), "9.9.9.9", "anybody can write it");
        assert_eq!(from("10.0.0.1", &list, &["10.0.0.0/8"]), "2.2.2.2", "the rightmost stranger");
        assert_eq!(from("10.0.0.1", &list, &["10.0.0.1"]), "10.0.0.2");
        assert_eq!(from("10.0.0.1", &list, &["0.0.0.0/0"]), "1.1.1.1");
        assert_eq!(from("10.0.0.1", &[], &["10.0.0.0/8"]), "10.0.0.1");
    }

    #[test]
    fn the_standard_header_is_read_too() {
        let of = |value: &str| from("10.0.0.1", &[("forwarded", value)], &["10.0.0.0/8"]);
        assert_eq!(of("for=1.1.1.1, For=\"2.2.2.2:80\";proto=https;by=10.0.0.1"), "2.2.2.2");
        assert_eq!(of("for=\"[2001:db8::1]:4711\""), "2001:db8::1");
        // Who hides stays hidden behind the proxy.
        for hidden in ["for=unknown", "for=_x, for=_y", "proto=https", "", ",,,", "for=\"[::1\""] {
            assert_eq!(of(hidden), "10.0.0.1", "{hidden}");
        }
    }

    #[test]
    fn headers_that_disagree_count_for_nothing() {
        let both = |list, standard| {
            let headers = [("x-forwarded-for", list), ("forwarded", standard)];
            from("10.0.0.1", &headers, &["10.0.0.0/8"])
        };
        assert_eq!(both("2.2.2.2", "for=2.2.2.2"), "2.2.2.2");
        assert_eq!(both("2.2.2.2", "for=3.3.3.3"), "10.0.0.1");
    }

    #[test]
    fn a_long_walk_ends() {
        let list = vec!["10.0.0.7"; 1_000].join(",");
        let list = format!("1.1.1.1,{list}");
        assert_eq!(from("10.0.0.1", &[("x-forwarded-for", &list)], &["10.0.0.0/8"]), "10.0.0.7");
    }
}
