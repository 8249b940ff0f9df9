//! `format: ipv4` and `ipv6`: dotted quads of RFC 2673 section 3.2, and RFC 4291 section 2.2.
//!
//! The standard library reads exactly these: no leading zeros, no zone, no prefix length.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Whether `text` is an IPv4 address in four decimal parts.
#[must_use]
pub fn is_ipv4(text: &str) -> bool {
    text.parse::<Ipv4Addr>().is_ok()
}

/// Whether `text` is an IPv6 address.
#[must_use]
pub fn is_ipv6(text: &str) -> bool {
    text.parse::<Ipv6Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::{is_ipv4, is_ipv6};

    #[test]
    fn takes_addresses() {
        assert!(is_ipv4("192.168.0.1"));
        assert!(is_ipv6("::1"));
        assert!(is_ipv6("2001:db8::ff00:42:8329"));
        assert!(is_ipv6("::ffff:192.168.0.1"));
    }

    #[test]
    fn refuses_their_relatives() {
        for address in
            ["", "192.168.0", "192.168.0.256", "192.168.0.01", "0x7f000001", "2130706433"]
        {
            assert!(!is_ipv4(address), "{address:?}");
        }
        for address in ["", ":", "fe80::a%eth1", "2001:db8::/32", "1::d6::42", "[::1]", "12345::"] {
            assert!(!is_ipv6(address), "{address:?}");
        }
    }
}
