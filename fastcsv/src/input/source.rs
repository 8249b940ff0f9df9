//! A file, read block by block.

use std::io::{self, ErrorKind, Read};

/// Bytes of a block; measured against mapping files, and against a MiB, this won: what was just copied
/// is still in the L2 cache when it is scanned.
pub const BLOCK_BYTES: usize = 256 << 10;

/// A source of blocks.
pub struct Source {
    file: Box<dyn Read + Send>,
    block_bytes: usize,
}

impl Source {
    #[must_use]
    pub fn new(file: impl Read + Send + 'static) -> Self {
        Self::in_blocks(file, BLOCK_BYTES)
    }

    /// A source of smaller blocks, for tests.
    #[must_use]
    pub fn in_blocks(file: impl Read + Send + 'static, block_bytes: usize) -> Self {
        Self { file: Box::new(file), block_bytes: block_bytes.max(1) }
    }

    /// Puts the next block in the place of the one before; false at the end, where there is none. All blocks but
    /// the last are full.
    pub fn fill(&mut self, block: &mut Vec<u8>) -> io::Result<bool> {
        block.resize(self.block_bytes, 0);
        let mut size = 0;
        while size < block.len() {
            match self.file.read(&mut block[size..]) {
                Ok(0) => break,
                Ok(more) => size += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        block.truncate(size);
        Ok(size > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken(usize);

    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(1).ok_or(ErrorKind::UnexpectedEof)?;
            buffer[0] = b'x';
            Ok(1)
        }
    }

    fn read(file: impl Read + Send + 'static) -> io::Result<Vec<u8>> {
        let mut source = Source::in_blocks(file, 10);
        let (mut block, mut all) = (Vec::new(), Vec::new());
        while source.fill(&mut block)? {
            all.extend_from_slice(&block);
        }
        assert!(!source.fill(&mut block)?, "the end stays the end");
        Ok(all)
    }

    #[test]
    fn a_file_comes_whole_and_in_order() {
        for size in [0, 1, 9, 10, 11, 57] {
            let file: Vec<u8> = (0..=250).cycle().take(size).collect();
            assert_eq!(read(io::Cursor::new(file.clone())).unwrap(), file);
        }
    }

    #[test]
    fn an_error_is_told_and_not_taken_for_the_end() {
        assert_eq!(read(Broken(3)).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
}
