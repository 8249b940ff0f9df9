//! E-mail addresses of up to 64 bytes with AVX-512, of 16 to 64 with AVX2: every byte at once.
//!
//! A table look-up gives each byte its classes, a class is a mask of 64 bits, and the grammar is a handful
//! of operations on masks. No loop ends where it cannot be foretold. One of the files with `unsafe`; each block
//! argues its safety, and `email::takes` is the twin that a test holds equal.
#![allow(unsafe_code, reason = "intrinsics; every block below carries its argument")]
#![allow(clippy::cast_ptr_alignment, reason = "the loads are unaligned ones")]

use std::arch::x86_64::{
    __m128i, __m256i, __m512i, _mm_loadu_si128, _mm256_and_si256, _mm256_broadcastsi128_si256,
    _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_set_m128i,
    _mm256_set1_epi8, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_slli_epi16,
    _mm256_srli_epi16, _mm512_loadu_si512, _mm512_maskz_loadu_epi8, _mm512_movepi8_mask,
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

/// Proof that the processor has the instructions: only `all` makes one, and it asks the processor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EmailInstructions(EmailSet);

#[derive(Clone, Copy, Debug)]
enum EmailSet {
    Avx2,
    Avx512,
}

impl EmailInstructions {
    /// The fastest of those that are of use here.
    pub(crate) fn detect() -> Option<Self> {
        Self::all().last().copied()
    }

    /// All of them.
    fn all() -> Vec<Self> {
        let sets = [has_avx2().then_some(EmailSet::Avx2), has_avx512().then_some(EmailSet::Avx512)];
        sets.into_iter().flatten().map(Self).collect()
    }

    /// Whether the bytes are an e-mail address; nothing where these instructions cannot tell.
    #[inline]
    pub(crate) fn takes(self, text: &[u8]) -> Option<bool> {
        // SAFETY: there are `EmailInstructions` only where the processor has the instructions.
        match (self.0, text.len()) {
            (EmailSet::Avx2, 16..=BYTES_MAX) => unsafe { takes_avx2(text) },
            (EmailSet::Avx512, 1..=BYTES_MAX) => Some(unsafe { takes_avx512(text) }),
            _ => None,
        }
    }
}

/// Where the bytes of some class stand in a text of at most 64 bytes: bit n is byte n.
#[derive(Clone, Copy)]
struct ClassMasks {
    /// May stand in an atom of the local part.
    atoms: u64,
    /// Letters and digits: may begin and end a label.
    letters: u64,
    /// May stand inside a label.
    labels: u64,
    dots: u64,
    at: u64,
}

impl ClassMasks {
    /// Whether a text of so many bytes is an address.
    #[inline]
    fn are_an_address(self, size: usize) -> bool {
        let Self { atoms, letters, labels, dots, at } = self;
        let inside = u64::MAX >> ((BYTES_MAX - size) & 63);
        let before = at.wrapping_sub(1);
        let (local_dots, domain_dots) = (dots & before, dots & !before);
        let domain = inside & !before & !at;
        let last = inside ^ (inside >> 1);
        // Every dot of the local part stands between two atoms, every dot of the domain between two labels.
        let local_wrong =
            (before & !(atoms | dots)) | (local_dots & (1 | at >> 1 | local_dots << 1));
        let domain_wrong = (domain & !(labels | dots))
            | (((at | domain_dots) << 1 | domain_dots >> 1 | last) & !letters);
        at.is_power_of_two() && at != 1 && domain_dots != 0 && local_wrong | domain_wrong == 0
    }
}

/// Whether this processor has what `takes_avx512` is compiled for.
fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vbmi")
        && is_x86_feature_detected!("popcnt")
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
    let masks = ClassMasks {
        atoms: of(ATOM),
        letters: of(ALPHANUMERIC),
        labels: of(LABEL),
        dots: of(DOT),
        at: of(AT),
    };
    _mm512_movepi8_mask(bytes) == 0 && masks.are_an_address(text.len())
}

/// Whether this processor has what `takes_avx2` is compiled for.
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt")
}

/// Kinds of bytes that are told by their two halves: a kind has all bytes whose upper half is one of a few and whose
/// lower half is one of a few. What is of no kind is rare in an address, or wrong.
mod kind {
    pub const MARK: u8 = 1;
    pub const DIGIT: u8 = 1 << 1;
    pub const LETTER: u8 = 1 << 2;
    pub const LATE_LETTER: u8 = 1 << 3;
    pub const UNDERSCORE: u8 = 1 << 4;
    pub const AT: u8 = 1 << 5;
    pub const HYPHEN: u8 = 1 << 6;
    pub const DOT: u8 = 1 << 7;
    pub const ALPHANUMERIC: u8 = DIGIT | LETTER | LATE_LETTER;

    const fn of(byte: u8) -> u8 {
        match byte {
            b'0'..=b'9' => DIGIT,
            b'A'..=b'O' | b'a'..=b'o' => LETTER,
            b'P'..=b'Z' | b'p'..=b'z' => LATE_LETTER,
            b'_' => UNDERSCORE,
            b'@' => AT,
            b'-' => HYPHEN,
            b'.' => DOT,
            b'!' | b'#'..=b'\'' | b'*' | b'+' | b'/' => MARK,
            _ => 0,
        }
    }

    const fn by_half(shift: u8) -> [u8; 16] {
        let mut kinds = [0; 16];
        let mut byte = 0;
        while byte < 128 {
            kinds[(byte >> shift & 15) as usize] |= of(byte);
            byte += 1;
        }
        kinds
    }

    pub const BY_LOWER: [u8; 16] = by_half(0);
    pub const BY_UPPER: [u8; 16] = by_half(4);
}

/// For texts of 16 bytes and more: what is shorter would have to be copied first.
#[target_feature(enable = "avx2,popcnt")]
fn takes_avx2(text: &[u8]) -> Option<bool> {
    let size = text.len();
    debug_assert!((16..=BYTES_MAX).contains(&size));
    // A text is read by its first and its last bytes. Where these overlap, they say the same.
    let (first, last, last_at) = if size > 32 {
        let (first, last) = (&text[..32], &text[size - 32..]);
        // SAFETY: each reads a slice of 32 bytes, unaligned.
        let (first, last) = unsafe {
            (
                _mm256_loadu_si256(first.as_ptr().cast::<__m256i>()),
                _mm256_loadu_si256(last.as_ptr().cast::<__m256i>()),
            )
        };
        (bits_of(first), bits_of(last), size - 32)
    } else {
        let (first, last) = (&text[..16], &text[size - 16..]);
        // SAFETY: each reads a slice of 16 bytes, unaligned.
        let (first, last) = unsafe {
            (
                _mm_loadu_si128(first.as_ptr().cast::<__m128i>()),
                _mm_loadu_si128(last.as_ptr().cast::<__m128i>()),
            )
        };
        let both = bits_of(_mm256_set_m128i(last, first));
        (both.map(|bits| bits & 0xffff), both.map(|bits| bits >> 16), size - 16)
    };
    let [dots, hyphens, at, others, of_no_kind] =
        std::array::from_fn(|it| u64::from(first[it]) | u64::from(last[it]) << (last_at & 63));
    if of_no_kind != 0 {
        return None;
    }
    let inside = u64::MAX >> ((BYTES_MAX - size) & 63);
    let letters = inside & !others;
    let masks =
        ClassMasks { atoms: inside & !dots & !at, letters, labels: letters | hyphens, dots, at };
    Some(masks.are_an_address(size))
}

/// Which of 32 bytes are dots, hyphens, `@`, no letters or digits, of no kind.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn bits_of(bytes: __m256i) -> [u32; 5] {
    // SAFETY: both read an array of 16 bytes, unaligned.
    let (by_lower, by_upper) = unsafe {
        (
            _mm_loadu_si128(kind::BY_LOWER.as_ptr().cast::<__m128i>()),
            _mm_loadu_si128(kind::BY_UPPER.as_ptr().cast::<__m128i>()),
        )
    };
    let half = _mm256_set1_epi8(15);
    let (lower, upper) = (bytes, _mm256_srli_epi16::<4>(bytes));
    let kinds = _mm256_and_si256(
        _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(by_lower), _mm256_and_si256(lower, half)),
        _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(by_upper), _mm256_and_si256(upper, half)),
    );
    let has_none = |of: u8| {
        let those = _mm256_and_si256(kinds, _mm256_set1_epi8(of.cast_signed()));
        _mm256_cmpeq_epi8(those, _mm256_setzero_si256())
    };
    // A mask is made of the highest bit of each byte.
    [
        kinds,
        _mm256_slli_epi16::<{ shift_of(kind::HYPHEN) }>(kinds),
        _mm256_slli_epi16::<{ shift_of(kind::AT) }>(kinds),
        has_none(kind::ALPHANUMERIC),
        has_none(u8::MAX),
    ]
    .map(|bits| _mm256_movemask_epi8(bits).cast_unsigned())
}

/// How far left a kind's bit has to go to be the highest.
const fn shift_of(kind: u8) -> i32 {
    kind.leading_zeros().cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::email;
    use proptest::prelude::*;

    fn agree(text: &[u8]) {
        for quick in EmailInstructions::all() {
            let verdict = quick.takes(text).unwrap_or_else(|| email::takes(text));
            assert_eq!(verdict, email::takes(text), "{:?}", text.escape_ascii());
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
        for base in [
            "a@b.c",
            "a-b.c@d-e.fg.hi",
            "a-bc.d_e@f-g.org",
            "ana.maria@mail.example.org",
            "ana.maria+list@department.company.example.org",
        ] {
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
