//! `format: email`: an address as RFC 5321 section 4.1.2 writes it, less what nobody means to import.
//!
//! The local part is a dot-atom of at most 64 octets; the domain has two or more labels of letters,
//! digits and inner hyphens, 63 octets each and 255 in all. Refused by choice: quoted local parts,
//! address literals, bare host names, comments and anything outside ASCII (that is `idn-email`).
//!
//! Two passes over at most 320 bytes, each without a branch that depends on the bytes: a table gives
//! every byte its class, and a bit matrix says which class may follow which. A loop that branches on
//! each byte mispredicts at every dot and at the `@`.

const LOCAL_OCTETS: usize = 64;
const LABEL_OCTETS: usize = 63;
const DOMAIN_OCTETS: usize = 255;

/// What a byte is inside a part. `EDGE` stands before the first byte and after the last.
const BAD: u8 = 0;
const WORD: u8 = 1;
const HYPHEN: u8 = 2;
const DOT: u8 = 3;
const EDGE: u8 = DOT;

const LOCAL: [u8; 256] = {
    let mut table = DOMAIN;
    let others = b"!#$%&'*+-/=?^_`{|}~";
    let mut i = 0;
    while i < others.len() {
        table[others[i] as usize] = WORD;
        i += 1;
    }
    table
};

const DOMAIN: [u8; 256] = {
    let mut table = [BAD; 256];
    let mut byte = 0u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() {
            table[byte as usize] = WORD;
        }
        byte += 1;
    }
    table[b'-' as usize] = HYPHEN;
    table[b'.' as usize] = DOT;
    table
};

/// Bit `4 * before + after` is set where that pair breaks the part: anything beside `BAD`, a dot
/// beside a dot or an edge, a hyphen beside a dot or an edge.
const BROKEN: u16 = {
    let mut bits = 0u16;
    let mut before = 0;
    while before < 4 {
        let mut after = 0;
        while after < 4 {
            let bad = before == BAD || after == BAD;
            let empty_label = before == DOT && after == DOT;
            let hyphen_at_end =
                (before == DOT && after == HYPHEN) || (before == HYPHEN && after == DOT);
            if bad || empty_label || hyphen_at_end {
                bits |= 1 << (4 * before + after);
            }
            after += 1;
        }
        before += 1;
    }
    bits
};

/// Whether `text` is an e-mail address.
#[must_use]
pub fn is_email(text: &str) -> bool {
    let bytes = text.as_bytes();
    // An `@` is in no part's alphabet, so the first one is the only one in an address.
    let Some(at) = bytes
        .iter()
        .take(LOCAL_OCTETS + 1)
        .position(|&byte| byte == b'@')
    else {
        return false;
    };
    let (local, domain) = (&bytes[..at], &bytes[at + 1..]);
    domain.len() <= DOMAIN_OCTETS
        && is_well_formed(local, &LOCAL)
        && is_well_formed(domain, &DOMAIN)
        && has_good_labels(domain)
}

/// Whether every byte has a class and no two neighbours break the part. An empty part is two edges
/// side by side, which read as an empty label.
fn is_well_formed(part: &[u8], classes: &[u8; 256]) -> bool {
    let mut before = EDGE;
    let mut broken = 0u16;
    for &byte in part {
        let class = classes[usize::from(byte)];
        broken |= BROKEN >> (4 * before + class);
        before = class;
    }
    (broken | (BROKEN >> (4 * before + EDGE))) & 1 == 0
}

/// Whether there are two labels or more, none too long. Below 65 octets none can be.
fn has_good_labels(domain: &[u8]) -> bool {
    let dotted = domain.contains(&b'.');
    dotted
        && (domain.len() <= LABEL_OCTETS
            || domain
                .split(|&byte| byte == b'.')
                .all(|label| label.len() <= LABEL_OCTETS))
}

#[cfg(test)]
mod tests {
    use super::is_email;

    #[test]
    fn takes_addresses_people_have() {
        for address in [
            "ana@example.org",
            "ana.maria+kintell@mail.example.co.uk",
            "o'neil@example.org",
            "x@y.z",
            "a-b_c@xn--bcher-kva.example",
            "-a-@example.org",
            "1@2.3",
        ] {
            assert!(is_email(address), "{address}");
        }
    }

    #[test]
    fn refuses_what_the_domain_leaves_out() {
        for address in [
            "",
            "@",
            "ana",
            "ana@",
            "@example.org",
            "ana@localhost",
            "ana@@example.org",
            "a@b@example.org",
            "\"ana\"@example.org",
            "ana@[127.0.0.1]",
            "ana(x)@example.org",
            " ana@example.org",
            "ana@example.org ",
            "ana maria@example.org",
            ".ana@example.org",
            "ana.@example.org",
            "ana..m@example.org",
            "ana@.example.org",
            "ana@example.org.",
            "ana@example..org",
            "ana@-example.org",
            "ana@example-.org",
            "ana@exa_mple.org",
            "anä@example.org",
            "ana@exämple.org",
            "ana@example.org\0",
        ] {
            assert!(!is_email(address), "{address:?}");
        }
    }

    #[test]
    fn lengths_count_octets() {
        let local = "a".repeat(64);
        assert!(is_email(&format!("{local}@example.org")));
        assert!(!is_email(&format!("{local}a@example.org")));
        let label = "b".repeat(63);
        assert!(is_email(&format!("a@{label}.org")));
        assert!(!is_email(&format!("a@{label}b.org")));
        assert!(!is_email(&format!("a@org.{label}b")));
        let domain = format!("{label}.{label}.{label}.{label}");
        assert_eq!(domain.len(), 255);
        assert!(is_email(&format!("a@{domain}")));
        assert!(!is_email(&format!("a@{domain}.c")));
    }
}
