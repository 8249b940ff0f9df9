//! E-mail addresses of up to 64 bytes with AVX-512: every byte at once.
//!
//! A table look-up gives each byte its classes, a class is a mask of 64 bits, and the grammar is a handful
//! of operations on masks. No loop ends where it cannot be foretold. One of the files with `unsafe`; each block
//! argues its safety, and `email::takes` is the twin that a test holds equal.
#![allow(unsafe_code, reason = "intrinsics; every block below carries its argument")]
#![allow(clippy::cast_ptr_alignment, reason = "the loads are unaligned ones")]

use std::arch::x86_64::{
    __m512i, _mm512_loadu_si512, _mm512_maskz_loadu_epi8, _mm512_movepi8_mask,
    _mm512_permutex2var_epi8, _mm512_set1_epi8, _mm512_test_epi8_mask,
};

const BYTES_MAX: usize = 64;

/// May stand in an atom of the local part.
const ATOM: u8 = 1;
/// A letter or a digit: may begin and end a label.
const ALPHANUMERIC: u8 = 2;
/// May stand inside a label.
const LABEL: u8 = 4;
const DOT: u8 = 8;
const AT: u8 = 16;

/// The classes of the ASCII bytes.
const CLASSES: [u8; 128] = {
    let mut classes = [0; 128];
    let mut byte = 0;
    while byte < 128 {
        classes[byte as usize] = match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => ATOM | ALPHANUMERIC | LABEL,
            b'-' => ATOM | LABEL,
            b'.' => DOT,
            b'@' => AT,
            b'!' | b'#'..=b'\'' | b'*' | b'+' | b'/' | b'=' | b'?' | b'^'..=b'`' | b'{'..=b'~' => {
                ATOM
            }
            _ => 0,
        };
        byte += 1;
    }
    classes
};

/// Whether this processor has what `takes_avx512` is compiled for.
fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vbmi")
        && is_x86_feature_detected!("popcnt")
}

/// Proof that the processor has the instructions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quick(());

impl Quick {
    pub(crate) fn detect() -> Option<Self> {
        has_avx512().then_some(Self(()))
    }

    /// Whether the bytes are an e-mail address.
    #[inline]
    #[allow(clippy::unused_self, reason = "it is the proof")]
    pub(crate) fn takes(self, text: &[u8]) -> bool {
        if text.is_empty() || text.len() > BYTES_MAX {
            return super::email::takes(text);
        }
        // SAFETY: there is a `Quick` only where `has_avx512` was true.
        unsafe { takes_avx512(text) }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,popcnt")]
fn takes_avx512(text: &[u8]) -> bool {
    debug_assert!((1..=BYTES_MAX).contains(&text.len()));
    let inside = u64::MAX >> ((BYTES_MAX - text.len()) & 63);
    // SAFETY: reads the bytes that the mask names, which are those of the slice, and no other.
    let bytes = unsafe { _mm512_maskz_loadu_epi8(inside, text.as_ptr().cast()) };
    // SAFETY: each reads 64 of the 128 bytes of the table, unaligned.
    let (low, high) = unsafe {
        let table = CLASSES.as_ptr();
        (
            _mm512_loadu_si512(table.cast::<__m512i>()),
            _mm512_loadu_si512(table.add(64).cast::<__m512i>()),
        )
    };
    let classes = _mm512_permutex2var_epi8(low, bytes, high);
    let of = |class: u8| _mm512_test_epi8_mask(classes, _mm512_set1_epi8(class.cast_signed()));
    let beyond_ascii = _mm512_movepi8_mask(bytes);
    let (atoms, dots, at) = (of(ATOM), of(DOT), of(AT));
    let (letters, labels) = (of(ALPHANUMERIC), of(LABEL));

    let before = at.wrapping_sub(1);
    let (local_dots, domain_dots) = (dots & before, dots & !before);
    let domain = inside & !before & !at;
    let last = inside ^ (inside >> 1);
    // Every dot of the local part stands between two atoms, every dot of the domain between two labels.
    let local_wrong = (before & !(atoms | dots)) | (local_dots & (1 | at >> 1 | local_dots << 1));
    let domain_wrong = (domain & !(labels | dots))
        | (((at | domain_dots) << 1 | domain_dots >> 1 | last) & !letters);
    at.is_power_of_two()
        && at != 1
        && domain_dots != 0
        && beyond_ascii | local_wrong | domain_wrong == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::email;
    use proptest::prelude::*;

    fn agree(text: &[u8]) {
        if let Some(quick) = Quick::detect() {
            assert_eq!(quick.takes(text), email::takes(text), "{:?}", text.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn what_is_nearly_an_address_is_judged_as_by_the_automaton(
            text in "[a-c0.!@-]{0,12}|[a-z.-]{0,50}@[a-z.-]{0,50}|([a-b]{1,3}[.@-]){0,40}[a-z]{0,2}",
        ) {
            agree(text.as_bytes());
        }

        #[test]
        fn any_bytes_are(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            agree(&bytes);
        }
    }

    #[test]
    fn every_byte_in_every_place_of_an_address_is() {
        for base in ["a@b.c", "ana.maria@mail.example.org", "a-b.c@d-e.fg.hi"] {
            for place in 0..base.len() {
                for byte in 0..=255 {
                    let mut text = base.as_bytes().to_vec();
                    text[place] = byte;
                    agree(&text);
                }
            }
        }
    }

    #[test]
    fn addresses_of_every_length_are() {
        for local in 1..70 {
            for end in ["@example.org", "@e.f", ".", "@x.", "@.y", "@x.y-", "@x.-y", "@"] {
                agree((("a".repeat(local)) + end).as_bytes());
            }
        }
    }
}
