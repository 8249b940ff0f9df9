//! A file, read block by block: where it is wanted, or ahead of it on a thread of its own.
//!
//! Where several threads judge, the one that frames is the one that all wait for; reading and summing up the
//! next block meanwhile takes a third of its work away from it. A few blocks are held, never more.

use std::io::{self, ErrorKind, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

/// Bytes of a block; measured against mapping files, and against a MiB, this won: what was just copied
/// is still in the L2 cache when it is scanned.
const BLOCK_BYTES: usize = 256 << 10;
/// Blocks read ahead.
const AHEAD: usize = 2;

/// The next bytes of a file, and the CRC-32C of it up to their end.
#[derive(Debug, Default)]
pub struct Block {
    pub bytes: Vec<u8>,
    pub crc32c: u32,
}

/// A source of blocks.
pub struct Source(Reading);

enum Reading {
    Here { file: Box<dyn Read + Send>, block: Block, ended: bool },
    Ahead { blocks: Receiver<io::Result<Block>>, spare: Sender<Block>, block: Block },
}

impl Source {
    /// Reads `file`: ahead where `threads` are more than one.
    pub fn new(file: impl Read + Send + 'static, threads: usize) -> Self {
        if threads < 2 {
            let file = Box::new(file);
            return Self(Reading::Here { file, block: Block::default(), ended: false });
        }
        let (sender, blocks) = sync_channel(AHEAD);
        let (spare, returned) = channel();
        // It ends with the file, or at the next block after nobody wants one any more. Nobody waits for it:
        // it may be waiting for a pipe.
        thread::spawn(move || read_ahead(file, &sender, &returned));
        Self(Reading::Ahead { blocks, spare, block: Block::default() })
    }

    /// The next block; `None` at the end.
    pub fn next_block(&mut self) -> io::Result<Option<&Block>> {
        match &mut self.0 {
            Reading::Here { file, block, ended } => {
                if !*ended {
                    *ended = fill(file, block)?;
                    return Ok((!block.bytes.is_empty()).then_some(&*block));
                }
                Ok(None)
            }
            Reading::Ahead { blocks, spare, block } => {
                // Where the thread has ended there is nobody to take it.
                let _ = spare.send(std::mem::take(block));
                match blocks.recv() {
                    Ok(next) => {
                        *block = next?;
                        Ok(Some(block))
                    }
                    Err(_) => Ok(None),
                }
            }
        }
    }
}

fn read_ahead(
    mut file: impl Read,
    blocks: &SyncSender<io::Result<Block>>,
    returned: &Receiver<Block>,
) {
    let mut crc32c = 0;
    loop {
        let mut block = returned.try_recv().unwrap_or_default();
        block.crc32c = crc32c;
        let (next, ended) = match fill(&mut file, &mut block) {
            Ok(true) if block.bytes.is_empty() => return,
            Ok(ended) => {
                crc32c = block.crc32c;
                (Ok(block), ended)
            }
            Err(error) => (Err(error), true),
        };
        if blocks.send(next).is_err() || ended {
            return;
        }
    }
}

/// Puts the next block in the place of the one before; says whether the file ends with it.
fn fill(file: &mut impl Read, block: &mut Block) -> io::Result<bool> {
    block.bytes.resize(BLOCK_BYTES, 0);
    let mut size = 0;
    while size < block.bytes.len() {
        match file.read(&mut block.bytes[size..]) {
            Ok(0) => break,
            Ok(more) => size += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    block.bytes.truncate(size);
    block.crc32c = crc32c::crc32c_append(block.crc32c, &block.bytes);
    Ok(size < BLOCK_BYTES)
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

    fn read(file: impl Read + Send + 'static, threads: usize) -> io::Result<Vec<u8>> {
        let mut source = Source::new(file, threads);
        let mut all = Vec::new();
        while let Some(block) = source.next_block()? {
            all.extend_from_slice(&block.bytes);
            assert_eq!(block.crc32c, crc32c::crc32c(&all));
        }
        assert!(source.next_block()?.is_none(), "the end stays the end");
        Ok(all)
    }

    #[test]
    fn a_file_comes_whole_and_in_order() {
        for size in [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 5 * BLOCK_BYTES + 7] {
            let file: Vec<u8> = (0..=250).cycle().take(size).collect();
            for threads in [1, 2] {
                assert!(read(io::Cursor::new(file.clone()), threads).unwrap() == file, "{size}");
            }
        }
    }

    #[test]
    fn an_error_is_told_and_not_taken_for_the_end() {
        for threads in [1, 2] {
            let error = read(Broken(3), threads).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        }
    }
}
