//! A list of positions that bit masks are turned into, without a branch for each bit.

use super::{BLOCK, narrow};

/// Positions written at once. Most blocks have fewer, and a loop over a count that cannot be foretold costs
/// a wrong guess a block.
const STEP: usize = 8;

/// Ascending positions. Only the first `len` slots count: the rest is room to write.
#[derive(Debug, Default)]
pub struct Positions {
    slots: Vec<u32>,
    len: usize,
}

impl Positions {
    #[must_use]
    pub fn as_slice(&self) -> &[u32] {
        &self.slots[..self.len]
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn clear(&mut self) {
        self.len = 0;
    }

    pub fn push(&mut self, position: u32) {
        self.make_room();
        self.slots[self.len] = position;
        self.len += 1;
    }

    /// Drops the first `count`.
    pub fn drop_first(&mut self, count: usize) {
        self.slots.copy_within(count..self.len, 0);
        self.len -= count;
    }

    /// Makes all count from `by` bytes further on.
    pub fn rebase(&mut self, by: u32) {
        for position in &mut self.slots[..self.len] {
            *position -= by;
        }
    }

    /// Adds `base` and the place of each set bit.
    #[inline(always)]
    pub(super) fn push_bits(&mut self, mut bits: u64, base: u32) {
        let count = bits.count_ones() as usize;
        self.make_room();
        let room = &mut self.slots[self.len..self.len + BLOCK];
        for step in room.as_chunks_mut::<STEP>().0.iter_mut().take(count.div_ceil(STEP)) {
            for slot in step {
                *slot = base.wrapping_add(bits.trailing_zeros());
                bits &= bits.wrapping_sub(1);
            }
        }
        self.len += count;
    }

    #[inline(always)]
    fn make_room(&mut self) {
        if self.slots.len() - self.len < BLOCK {
            self.grow();
        }
    }

    #[cold]
    fn grow(&mut self) {
        let wanted = (self.slots.len() * 2).max(4096);
        debug_assert_eq!(narrow(wanted) as usize, wanted);
        self.slots.resize(wanted, 0);
    }
}
