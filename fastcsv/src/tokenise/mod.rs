//! Finds the separators of CSV text, 64 bytes at a time, without a branch per byte.
//!
//! For each block a kernel says where quotes, delimiters and line ends stand, as one bit a byte. The
//! running parity of the quotes is the mask of quoted bytes; separators outside it are real. The same
//! masks prove each quote legal (an opening one follows a separator, a closing one precedes one), and
//! where that fails the scan stops: what to do with a malformed record is the framer's to decide.
//! DESIGN.md, beside this file, says what each trick paid.
#![allow(clippy::inline_always, reason = "a kernel's steps must be compiled with its instructions")]

mod block;
#[cfg(target_arch = "aarch64")]
mod neon;
mod positions;
#[cfg(target_arch = "x86_64")]
mod simd;

pub(crate) use block::narrow;
use block::{BLOCK, BlockMasks, Kernel, ScalarKernel, Scan};
pub use positions::Positions;

/// What was found since the last `reset`, less what was given to `forget` or `exchange`, in order.
#[derive(Debug, Default)]
pub struct Marks {
    /// Delimiters and line ends outside quotes.
    pub separators: Positions,
    /// Which of those end a record, as indices into them. (CRLF ends at its CR.)
    pub ends: Positions,
    /// Line ends inside quotes.
    pub inner_lines: Positions,
    /// The second quote of each doubled one.
    pub escapes: Positions,
}

impl Marks {
    pub fn clear(&mut self) {
        self.separators.clear();
        self.ends.clear();
        self.inner_lines.clear();
        self.escapes.clear();
    }

    /// Notes the end of input as the end of a record.
    pub fn end_at(&mut self, position: u32) {
        self.ends.push(narrow(self.separators.len()));
        self.separators.push(position);
    }

    /// Drops what belongs to the records already framed, so that the marks of the open one stand first.
    pub fn forget(&mut self, framed: FramedMarks) {
        self.separators.drop_first(framed.marks);
        self.escapes.drop_first(framed.escapes);
        self.forget_lines(framed);
    }

    /// `forget` that gives away all separators and escapes that there were, in exchange for memory.
    pub fn exchange(
        &mut self,
        framed: FramedMarks,
        separators: &mut Positions,
        escapes: &mut Positions,
    ) {
        self.separators.exchange(framed.marks, separators);
        self.escapes.exchange(framed.escapes, escapes);
        self.forget_lines(framed);
    }

    fn forget_lines(&mut self, framed: FramedMarks) {
        self.ends.drop_first(framed.ends);
        self.ends.rebase(0, narrow(framed.marks));
        self.inner_lines.drop_first(framed.inner_lines);
    }

    /// Makes all positions count from `by` bytes further on.
    pub fn rebase(&mut self, by: u32) {
        for positions in [&mut self.separators, &mut self.inner_lines, &mut self.escapes] {
            positions.rebase(0, by);
        }
    }
}

/// What one block leaves behind for the next.
#[derive(Debug, Clone, Copy)]
struct Carry {
    /// All ones inside quotes.
    quoted: u64,
    /// One if the last byte was a separator or a quote (or nothing: a record begins).
    separator: u64,
    /// One if the last byte closed a quote.
    closing: u64,
    /// One if the last byte was CR.
    cr: u64,
}

const FRESH: Carry = Carry { quoted: 0, separator: 1, closing: 0, cr: 0 };

/// How many marks of each kind complete records took.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct FramedMarks {
    pub marks: usize,
    pub ends: usize,
    pub inner_lines: usize,
    pub escapes: usize,
}

/// A resumable scan over consecutive pieces of one text.
#[derive(Debug)]
pub struct Tokeniser {
    delimiter: u8,
    kernel: Instructions,
    carry: Carry,
    pub marks: Marks,
    /// Whether there was any NUL since this was last cleared.
    pub seen_nul: bool,
}

/// The instructions to use, and proof that the processor has them: only `detect` and `all` make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instructions(ScanSet);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ScanSet {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl Instructions {
    /// The fastest that this machine has.
    #[must_use]
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if simd::has_avx512() {
            return Self(ScanSet::Avx512);
        } else if simd::has_avx2() {
            return Self(ScanSet::Avx2);
        }
        #[cfg(target_arch = "aarch64")]
        return Self(ScanSet::Neon);
        #[cfg(not(target_arch = "aarch64"))]
        Self::scalar()
    }

    /// All that this machine has, with their names: for tests and measurements.
    #[must_use]
    pub fn all() -> Vec<(&'static str, Self)> {
        let mut all = vec![("scalar", Self::scalar())];
        #[cfg(target_arch = "x86_64")]
        {
            all.extend(simd::has_avx2().then_some(("AVX2", Self(ScanSet::Avx2))));
            all.extend(simd::has_avx512().then_some(("AVX-512", Self(ScanSet::Avx512))));
        }
        #[cfg(target_arch = "aarch64")]
        all.push(("NEON", Self(ScanSet::Neon)));
        all
    }

    #[must_use]
    pub fn scalar() -> Self {
        Self(ScanSet::Scalar)
    }
}

impl Tokeniser {
    #[must_use]
    pub fn new(delimiter: u8, kernel: Instructions) -> Self {
        Self { delimiter, kernel, carry: FRESH, marks: Marks::default(), seen_nul: false }
    }

    /// Begins anew, at the start of a record.
    pub fn reset(&mut self) {
        self.carry = FRESH;
        self.marks.clear();
        self.seen_nul = false;
    }

    /// Whether the text so far ends inside quotes.
    #[must_use]
    pub fn in_quotes(&self) -> bool {
        self.carry.quoted != 0
    }

    /// Scans the next piece; `base` is added to every position.
    ///
    /// Returns the position of the first quote fault, if there is one: separators before it are noted,
    /// and the next call must come after a `reset`.
    pub fn scan(&mut self, bytes: &[u8], base: u32) -> Option<u32> {
        match self.kernel.0 {
            ScanSet::Scalar => self.scan_with::<ScalarKernel>(bytes, base),
            #[cfg(target_arch = "x86_64")]
            ScanSet::Avx2 => simd::run_avx2(PieceScan { tokeniser: self, bytes, base }),
            #[cfg(target_arch = "x86_64")]
            ScanSet::Avx512 => simd::run_avx512(PieceScan { tokeniser: self, bytes, base }),
            #[cfg(target_arch = "aarch64")]
            ScanSet::Neon => self.scan_with::<neon::Neon>(bytes, base),
        }
    }

    #[inline(always)]
    fn scan_with<K: Kernel>(&mut self, bytes: &[u8], base: u32) -> Option<u32> {
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        let mut position = base;
        for block in blocks {
            let masks = K::masks(block, self.delimiter);
            if let Some(fault) = self.step::<K>(masks, u64::MAX, BLOCK - 1, position) {
                return Some(position + fault);
            }
            position += narrow(BLOCK);
        }
        if rest.is_empty() {
            return None;
        }
        let mut block = [0; BLOCK];
        block[..rest.len()].copy_from_slice(rest);
        let masks = K::masks(&block, self.delimiter);
        let inside = (1 << rest.len()) - 1;
        self.step::<K>(masks, inside, rest.len() - 1, position).map(|fault| position + fault)
    }

    /// Takes one block. `inside` masks off padding, `last` is the index of the last real byte.
    #[inline(always)]
    fn step<K: Kernel>(
        &mut self,
        masks: BlockMasks,
        inside: u64,
        last: usize,
        position: u32,
    ) -> Option<u32> {
        let carry = self.carry;
        let line_end = masks.cr | (masks.lf & !(masks.cr << 1 | carry.cr));
        let separator = masks.delimiter | masks.lf | masks.cr | masks.quote;
        self.seen_nul |= masks.nul & inside != 0;
        self.carry.cr = masks.cr >> last & 1;
        self.carry.separator = separator >> last & 1;

        let quiet = masks.quote == 0 && carry.quoted == 0 && carry.closing == 0;
        if !K::SPREADS_AT_ONCE && quiet {
            self.note::<K>(masks.delimiter, line_end, position);
            return None;
        }
        let quoted = K::prefix_xor(masks.quote) ^ carry.quoted;
        let opening = masks.quote & quoted;
        let closing = masks.quote & !quoted;
        let escape = opening & (closing << 1 | carry.closing);
        let stray = opening & !(separator << 1 | carry.separator);
        let trailed = (closing << 1 | carry.closing) & !separator & inside;
        self.carry.quoted = 0_u64.wrapping_sub(quoted >> 63);
        self.carry.closing = closing >> last & 1;

        let fault = stray | trailed;
        // Below the first fault everything is as it should be.
        let sound = (fault & fault.wrapping_neg()).wrapping_sub(1);
        if K::SPREADS_AT_ONCE || escape != 0 {
            self.marks.escapes.push_bits::<K>(escape & sound, position);
        }
        if line_end & quoted != 0 {
            self.marks.inner_lines.push_bits::<K>(line_end & quoted & sound, position);
        }
        let bare = !quoted & sound;
        self.note::<K>(masks.delimiter & bare, line_end & bare, position);
        (fault != 0).then(|| fault.trailing_zeros())
    }

    #[inline(always)]
    fn note<K: Kernel>(&mut self, delimiters: u64, line_ends: u64, position: u32) {
        let Marks { separators, ends, .. } = &mut self.marks;
        let noted = separators.len();
        let marks = delimiters | line_ends;
        ends.push_each(line_ends, |before| narrow(noted) + (marks & before).count_ones());
        separators.push_bits::<K>(marks, position);
    }
}

/// The scan of one piece by a tokeniser.
#[cfg(target_arch = "x86_64")]
struct PieceScan<'a> {
    tokeniser: &'a mut Tokeniser,
    bytes: &'a [u8],
    base: u32,
}

#[cfg(target_arch = "x86_64")]
impl Scan for PieceScan<'_> {
    #[inline(always)]
    fn run<K: Kernel>(self) -> Option<u32> {
        self.tokeniser.scan_with::<K>(self.bytes, self.base)
    }
}

#[cfg(test)]
mod tests;
