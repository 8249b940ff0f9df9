//! An e-mail check as one writes it by hand: a dot-atom of at most 64 octets, a domain of two or more labels.

const LOCAL_MAX: usize = 64;
const DOMAIN_MAX: usize = 253;
const LABEL_MAX: usize = 63;

/// The bytes of an atom (RFC 5322, `atext`), and everything that is not ASCII (RFC 6532).
static ATOM: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::cast_possible_truncation, reason = "below 256")]
        let ascii = byte as u8;
        table[byte] = ascii.is_ascii_alphanumeric()
            || ascii >= 0x80
            || matches!(
                ascii,
                b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'/' | b'=' | b'?'
            )
            || matches!(ascii, b'^' | b'_' | b'`' | b'{' | b'|' | b'}' | b'~');
        byte += 1;
    }
    table
};

/// Whether the text is an address.
#[must_use]
pub fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    is_dot_atom(local.as_bytes()) && is_domain(domain.as_bytes())
}

fn is_dot_atom(local: &[u8]) -> bool {
    let mut dot = true;
    for &byte in local {
        if byte == b'.' {
            if dot {
                return false;
            }
            dot = true;
        } else if ATOM[usize::from(byte)] {
            dot = false;
        } else {
            return false;
        }
    }
    !dot && local.len() <= LOCAL_MAX
}

fn is_domain(domain: &[u8]) -> bool {
    let mut labels = 0;
    for label in domain.split(|byte| *byte == b'.') {
        let plain = label
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
        let edges = label.first() != Some(&b'-') && label.last() != Some(&b'-');
        if label.is_empty() || label.len() > LABEL_MAX || !plain || !edges {
            return false;
        }
        labels += 1;
    }
    labels >= 2 && domain.len() <= DOMAIN_MAX
}
