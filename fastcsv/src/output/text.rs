//! A growing buffer of text that keeps free memory behind its end.
//!
//! A vector checks and copies by the exact length; short pieces, of which rows are made, cost a call
//! each. Here there is always room, so that 16 bytes can be copied where fewer are wanted, and what
//! was copied too much is written over by the next piece.

/// Bytes copied together.
pub const BLOCK: usize = 16;

/// Text that is appended again and again. It is padded, so that it can be copied by whole strides.
#[derive(Debug, Clone)]
pub struct PaddedText {
    strides: Box<[[u8; STRIDE]]>,
    len: usize,
}

/// Bytes of a piece that are copied together.
const STRIDE: usize = 64;

impl PaddedText {
    #[must_use]
    pub fn new(text: &[u8]) -> Self {
        let stride = |part: &[u8]| {
            let mut stride = [0; STRIDE];
            stride[..part.len()].copy_from_slice(part);
            stride
        };
        Self { strides: text.chunks(STRIDE).map(stride).collect(), len: text.len() }
    }
}

impl From<TextBuffer> for PaddedText {
    fn from(text: TextBuffer) -> Self {
        Self::new(text.as_bytes())
    }
}

/// Text to be written to a file. What follows `len` in `bytes` is room.
#[derive(Debug, Default)]
pub struct TextBuffer {
    bytes: Vec<u8>,
    len: usize,
}

impl TextBuffer {
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
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

    /// Appends a byte.
    #[inline(always)]
    pub fn push(&mut self, byte: u8) {
        self.room(1)[0] = byte;
        self.len += 1;
    }

    /// Appends bytes: by blocks while there are any, which for a short piece is one step.
    #[inline(always)]
    pub fn extend(&mut self, bytes: &[u8]) {
        if bytes.len() > 4 * BLOCK {
            self.room(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        } else {
            let room = self.room(5 * BLOCK);
            let (blocks, rest) = bytes.as_chunks::<BLOCK>();
            let (room, after) = room.split_at_mut(bytes.len() - rest.len());
            for (block, room) in blocks.iter().zip(room.as_chunks_mut::<BLOCK>().0) {
                *room = *block;
            }
            copy_short(rest, after);
        }
        self.len += bytes.len();
    }

    /// Appends a piece: a few strides, where other text of its length would cost a call.
    #[inline(always)]
    pub fn extend_piece(&mut self, piece: &PaddedText) {
        let room = self.room(piece.strides.len() * STRIDE).as_chunks_mut::<STRIDE>().0;
        for (from, to) in piece.strides.iter().zip(room) {
            *to = *from;
        }
        self.len += piece.len;
    }

    /// At least `size` bytes to write to, of which `advance` then keeps some.
    #[inline(always)]
    pub fn room(&mut self, size: usize) -> &mut [u8] {
        if self.bytes.len() - self.len < size {
            self.grow(size);
        }
        &mut self.bytes[self.len..]
    }

    #[inline(always)]
    pub fn advance(&mut self, size: usize) {
        debug_assert!(self.len + size <= self.bytes.len(), "what was written had room");
        self.len += size;
    }

    #[cold]
    fn grow(&mut self, size: usize) {
        let wanted = (self.bytes.len() * 2).max(self.len + size).max(4096);
        self.bytes.resize(wanted, 0);
    }
}

/// Copies fewer bytes than a block, as two overlapping halves where that will do.
#[inline]
pub(super) fn copy_short(bytes: &[u8], room: &mut [u8]) {
    let size = bytes.len();
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        room[..8].copy_from_slice(first);
        room[size - 8..size].copy_from_slice(last);
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        room[..4].copy_from_slice(first);
        room[size - 4..size].copy_from_slice(last);
    } else {
        for (byte, room) in bytes.iter().zip(room) {
            *room = *byte;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_every_length_come_out_in_order() {
        let source: Vec<u8> = (0..=255).cycle().take(1000).collect();
        let (mut text, mut wanted) = (TextBuffer::default(), Vec::new());
        for size in (0..200).chain([999, 0, 1]) {
            text.extend(&source[..size]);
            text.push(b'!');
            wanted.extend_from_slice(&source[..size]);
            wanted.push(b'!');
        }
        for size in [0, 1, 63, 64, 65, 200] {
            text.extend_piece(&PaddedText::new(&source[..size]));
            wanted.extend_from_slice(&source[..size]);
        }
        assert_eq!(text.as_bytes(), wanted);
        text.clear();
        assert!(text.is_empty());
        text.extend(b"again");
        assert_eq!(text.as_bytes(), b"again");
    }
}
