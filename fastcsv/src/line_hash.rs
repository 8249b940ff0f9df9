//! One hash for many lines, whatever their order: the sum of the XXH3-64 of each, and how many there are.
//!
//! The sum is exact, so a line that comes twice counts twice, and no two lines cancel each other out.

use memchr::memchr;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// What has been read so far. A line ends with `\n`, which is not hashed.
#[derive(Default)]
pub struct LineHash {
    lines: u64,
    sum: u128,
    /// Of a line whose end has not come yet.
    begun: Option<Xxh3>,
}

/// How many lines there were, and the sum of their hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineSum {
    pub lines: u64,
    pub sum: u128,
}

impl LineHash {
    /// Takes the next bytes, cut anywhere.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while let Some(end) = memchr(b'\n', bytes) {
            let hash = match self.begun.take() {
                Some(mut begun) => {
                    begun.update(&bytes[..end]);
                    begun.digest()
                }
                None => xxh3_64(&bytes[..end]),
            };
            self.sum += u128::from(hash);
            self.lines += 1;
            bytes = &bytes[end + 1..];
        }
        if !bytes.is_empty() {
            self.begun.get_or_insert_with(Xxh3::new).update(bytes);
        }
    }

    /// What all of it comes to; None where the last line has no end.
    #[must_use]
    pub fn finish(&self) -> Option<LineSum> {
        self.begun.is_none().then_some(LineSum { lines: self.lines, sum: self.sum })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum_of(pieces: &[&[u8]]) -> Option<LineSum> {
        let mut hash = LineHash::default();
        for piece in pieces {
            hash.feed(piece);
        }
        hash.finish()
    }

    #[test]
    fn the_hash_of_a_line_is_that_of_the_reference_implementation() {
        // XXH3_64bits of xxHash 0.8.4: of nothing, of "a", and the sum of two lines of COPY.
        assert_eq!(sum_of(&[b"\n"]), Some(LineSum { lines: 1, sum: 0x2d06_8005_38d3_94c2 }));
        assert_eq!(sum_of(&[b"a\n"]), Some(LineSum { lines: 1, sum: 0xe6c6_32b6_1e96_4e1f }));
        let rows = LineSum { lines: 2, sum: 12_385_918_140_429_724_475 };
        assert_eq!(sum_of(&[b"1\tAda\n2\t\\N\n"]), Some(rows));
        assert_eq!(sum_of(&[]), Some(LineSum { lines: 0, sum: 0 }));
    }

    #[test]
    fn chunks_may_be_cut_anywhere() {
        let alphabet = b"abcdefghijklmnopqrstuvw".repeat(70);
        let text = (0..40).map(|it| &alphabet[..it * it]).collect::<Vec<_>>().join(&b"\n"[..]);
        let text = [&text[..], b"\n"].concat();
        let whole = sum_of(&[&text]).unwrap();
        assert_eq!(whole.lines, 40);
        for size in [1, 2, 3, 7, 64, 240, 241, 1000, 1024] {
            let pieces: Vec<&[u8]> = text.chunks(size).collect();
            assert_eq!(sum_of(&pieces), Some(whole), "in pieces of {size}");
        }
    }

    #[test]
    fn the_order_of_lines_makes_no_difference_and_their_number_does() {
        assert_eq!(sum_of(&[b"a\nb\n"]), sum_of(&[b"b\na\n"]));
        assert_ne!(sum_of(&[b"ab\n\n"]), sum_of(&[b"a\nb\n"]));
        let (once, twice) = (sum_of(&[b"a\n"]).unwrap(), sum_of(&[b"a\na\n"]).unwrap());
        assert_eq!(twice, LineSum { lines: 2, sum: once.sum * 2 });
    }

    #[test]
    fn a_line_without_its_end_is_no_result() {
        assert_eq!(sum_of(&[b"a\nb"]), None);
        assert_eq!(sum_of(&[b"a\nb", b"", b"\n"]), sum_of(&[b"a\nb\n"]));
    }
}
