//! A list of positions that bit masks are turned into, without a branch for each bit.

use super::block::{BLOCK, Kernel, narrow};

/// Ascending positions. Only the first `len` slots count: the rest is room to write.
#[derive(Debug, Default)]
pub struct Positions {
    slots: Vec<u32>,
    len: usize,
}

impl From<Vec<u32>> for Positions {
    fn from(slots: Vec<u32>) -> Self {
        Self { len: slots.len(), slots }
    }
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

    /// Drops the first `count`. (If that is none, it costs nothing: a record may come byte by byte.)
    pub fn drop_first(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        self.slots.copy_within(count..self.len, 0);
        self.len -= count;
    }

    /// Leaves what comes after the first `count`, and gives all that there was, in exchange for memory.
    pub fn exchange(&mut self, count: usize, memory: &mut Self) {
        let rest = &self.slots[count..self.len];
        memory.clear();
        while memory.slots.len() < rest.len() {
            memory.grow();
        }
        memory.slots[..rest.len()].copy_from_slice(rest);
        memory.len = rest.len();
        std::mem::swap(self, memory);
    }

    /// Makes all but the first `but` count from `by` bytes further on.
    pub fn rebase(&mut self, but: usize, by: u32) {
        if by == 0 {
            return;
        }
        for position in &mut self.slots[but..self.len] {
            *position -= by;
        }
    }

    /// Adds `base` and the place of each set bit.
    #[inline(always)]
    pub(super) fn push_bits<K: Kernel>(&mut self, bits: u64, base: u32) {
        self.make_room();
        if let Some(room) = self.slots[self.len..].first_chunk_mut() {
            K::spread(bits, base, room);
        }
        self.len += bits.count_ones() as usize;
    }

    /// Adds, for each set bit, what `position` makes of the bits below it. There is seldom more than one in a
    /// block, and whether there is one cannot be foretold: it is written before it is asked for.
    #[inline(always)]
    pub(super) fn push_each(&mut self, mut bits: u64, position: impl Fn(u64) -> u32) {
        self.make_room();
        loop {
            let below = (bits & bits.wrapping_neg()).wrapping_sub(1);
            self.slots[self.len] = position(below);
            self.len += usize::from(bits != 0);
            bits &= bits.wrapping_sub(1);
            if bits == 0 {
                return;
            }
        }
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
