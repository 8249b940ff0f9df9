//! `format: uri`: an absolute URI of RFC 3986, with its scheme.
//!
//! Checked part by part against the grammar: scheme, authority, path, query, fragment. Relative
//! references and anything outside ASCII (that is an IRI) are refused; nothing is looked up.

use std::net::Ipv6Addr;

/// Bits of `CLASSES`: the parts that a byte may stand in unescaped.
const PATH: u8 = 1;
const QUERY: u8 = 2;
const USER: u8 = 4;
const HOST: u8 = 8;

const CLASSES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() {
            table[byte as usize] = PATH | QUERY | USER | HOST;
        }
        byte += 1;
    }
    // `unreserved` and `sub-delims` stand everywhere.
    let everywhere = b"-._~!$&'()*+,;=";
    let mut i = 0;
    while i < everywhere.len() {
        table[everywhere[i] as usize] = PATH | QUERY | USER | HOST;
        i += 1;
    }
    table[b':' as usize] = PATH | QUERY | USER;
    table[b'@' as usize] = PATH | QUERY;
    table[b'/' as usize] = PATH | QUERY;
    table[b'?' as usize] = QUERY;
    table
};

/// Whether `text` is a URI with a scheme.
#[must_use]
pub fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = cut(text, b':') else {
        return false;
    };
    let (rest, fragment) = cut(rest, b'#').unwrap_or((rest, ""));
    let (hierarchy, query) = cut(rest, b'?').unwrap_or((rest, ""));
    is_scheme(scheme)
        && is_hierarchy(hierarchy)
        && is_part(query, QUERY)
        && is_part(fragment, QUERY)
}

/// What stands before an ASCII character, and what behind it.
#[inline]
fn cut(text: &str, character: u8) -> Option<(&str, &str)> {
    let at = memchr::memchr(character, text.as_bytes())?;
    Some((&text[..at], &text[at + 1..]))
}

fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn is_hierarchy(hierarchy: &str) -> bool {
    let Some(rest) = hierarchy.strip_prefix("//") else {
        return is_part(hierarchy, PATH);
    };
    let path_at = memchr::memchr(b'/', rest.as_bytes()).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(path_at);
    is_authority(authority) && is_part(path, PATH)
}

fn is_authority(authority: &str) -> bool {
    let (user, server) = cut(authority, b'@').unwrap_or(("", authority));
    let literal = server.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (host_is_good, port) = if let Some((literal, port)) = literal {
        (is_address_literal(literal), port)
    } else {
        let (host, port) = server.split_at(server.find(':').unwrap_or(server.len()));
        (is_part(host, HOST), port)
    };
    let port_is_good = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    is_part(user, USER) && host_is_good && port_is_good
}

/// `IPv6address` or `IPvFuture`, between brackets.
fn is_address_literal(literal: &str) -> bool {
    let Some(future) = literal.strip_prefix(['v', 'V']) else {
        return literal.parse::<Ipv6Addr>().is_ok();
    };
    future.split_once('.').is_some_and(|(version, address)| {
        let hex = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_hexdigit());
        hex && !address.is_empty()
            && address.bytes().all(|byte| CLASSES[usize::from(byte)] & USER != 0)
    })
}

/// Whether every byte may stand in the part, or is a whole `%xx`.
fn is_part(part: &str, class: u8) -> bool {
    let mut rest = part.as_bytes();
    loop {
        rest = match rest {
            [] => return true,
            [b'%', high, low, after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                after
            }
            [byte, after @ ..] if CLASSES[usize::from(*byte)] & class != 0 => after,
            _ => return false,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::is_uri;

    #[test]
    fn takes_uris() {
        for uri in [
            "https://example.org",
            "http://foo.bar/?baz=qux#quux",
            "http://a:b@c.d:80/e//f;g=1?h/i?j#k/l?m",
            "ldap://[2001:db8::7]/c=GB?objectClass?one",
            "mailto:John.Doe@example.com",
            "urn:isbn:0451450523",
            "tel:+1-816-555-1212",
            "http://[v1.fe80:x]/",
            "file:///etc",
            "a:",
            "http://example.org/%7Ea",
            "http://-.~_!$&'()*+,;=:%40:80%2f::::::@example.com",
            "http://host:/",
        ] {
            assert!(is_uri(uri), "{uri}");
        }
    }

    #[test]
    fn refuses_references_and_broken_uris() {
        for uri in [
            "",
            "example.org",
            "//example.org/a",
            "/a",
            "#a",
            "a b:c",
            "1a:b",
            ":a",
            "http://a b/",
            "http://a/%zz",
            "http://a/%4",
            "http://[::g]/",
            "http://[::1/",
            "http://a:8x/",
            "http://é.org/",
            "http://a/<b>",
            "http://a/{b}",
            "http://a/\\b",
            "http://a/#b#c",
            "http://a/[b]",
            "http://a@b@c/",
            "http://a|b/",
            "http://a/\"b\"",
            "http://a/`b",
            "http://a/^b",
            "http://2001:db8::7/",
        ] {
            assert!(!is_uri(uri), "{uri:?}");
        }
    }
}
