//! A file, read block by block.

use super::block::BlockBuffer;
use crate::locking::lock;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Bytes of a block; measured against mapping files, and against a MiB, this won: what was just copied
/// is still in the L2 cache when it is scanned.
pub const BLOCK_BYTES: usize = 256 << 10;

const CUT_SHORT: &str = "the file was cut short while it was read";

/// A source of numbered blocks, which several threads may take at once.
pub struct Source {
    input: Input,
    block_bytes: usize,
}

enum Input {
    /// Read at the place that a block's number names, by all threads at once.
    File { file: File, size_bytes: u64, next: AtomicU64 },
    /// Read on where the block before ended, by one thread at a time.
    Stream(Mutex<Stream>),
}

struct Stream {
    reader: Box<dyn Read + Send>,
    next: u64,
    /// The end was seen. A pipe or a terminal may send more after it, which is not read.
    ended: bool,
    /// The part of a block that had been read when a signal interrupted the reading.
    held: Vec<u8>,
}

impl Source {
    #[must_use]
    pub fn new(reader: impl Read + Send + 'static) -> Self {
        let stream = Stream { reader: Box::new(reader), next: 0, ended: false, held: Vec::new() };
        Self { input: Input::Stream(Mutex::new(stream)), block_bytes: BLOCK_BYTES }
    }

    /// A file from its begin, as long as it is now; what has no length (a pipe, a device) as it comes. A file that
    /// is cut short meanwhile is an error, `UnexpectedEof`.
    pub fn of_file(file: File) -> io::Result<Self> {
        let size_bytes = file.metadata()?.len();
        if size_bytes == 0 {
            return Ok(Self::new(file));
        }
        let input = Input::File { file, size_bytes, next: AtomicU64::new(0) };
        Ok(Self { input, block_bytes: BLOCK_BYTES })
    }

    /// The same in blocks of another size.
    #[must_use]
    pub fn in_blocks(self, block_bytes: usize) -> Self {
        Self { block_bytes: block_bytes.max(1), ..self }
    }

    #[must_use]
    pub fn block_bytes(&self) -> usize {
        self.block_bytes
    }

    /// How many blocks have been taken.
    pub fn taken(&mut self) -> u64 {
        match &mut self.input {
            Input::File { next, .. } => *next.get_mut(),
            Input::Stream(stream) => stream.get_mut().unwrap_or_else(PoisonError::into_inner).next,
        }
    }

    /// Puts the next block in the place of the one before, and says its number, counted from 0; `None` at the
    /// end, where there is none. All blocks but the last are full. A signal makes the reading of a stream an error,
    /// `Interrupted`, after which it can be gone on with.
    pub fn take(&self, buffer: &mut BlockBuffer) -> io::Result<Option<u64>> {
        match &self.input {
            Input::File { file, size_bytes, next } => {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let begin = number.saturating_mul(self.block_bytes as u64).min(*size_bytes);
                let left = usize::try_from(size_bytes - begin).unwrap_or(usize::MAX);
                let block = buffer.of(left.min(self.block_bytes));
                file.read_exact_at(block, begin).map_err(|error| match error.kind() {
                    ErrorKind::UnexpectedEof => io::Error::new(error.kind(), CUT_SHORT),
                    _ => error,
                })?;
                Ok((left > 0).then_some(number))
            }
            Input::Stream(stream) => {
                let mut stream = lock(stream);
                let number = stream.next;
                let size = stream.fill(buffer.of(self.block_bytes))?;
                buffer.truncate(size);
                stream.next += u64::from(size > 0);
                Ok((size > 0).then_some(number))
            }
        }
    }
}

impl Stream {
    /// Reads until the block is full or there is no more; says how much there was.
    fn fill(&mut self, block: &mut [u8]) -> io::Result<usize> {
        let mut size = self.held.len();
        block[..size].copy_from_slice(&self.held);
        self.held.clear();
        while !self.ended && size < block.len() {
            match self.reader.read(&mut block[size..]) {
                Ok(more) => {
                    size += more;
                    self.ended = more == 0;
                }
                Err(error) => {
                    self.held.extend_from_slice(&block[..size]);
                    return Err(error);
                }
            }
        }
        Ok(size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::OwnedFd;

    /// Two bytes, then a signal, and again.
    struct Interrupted(Vec<u8>, bool);

    impl Read for Interrupted {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(ErrorKind::Interrupted.into());
            }
            let size = self.0.len().min(buffer.len()).min(2);
            buffer[..size].copy_from_slice(&self.0[..size]);
            self.0.drain(..size);
            Ok(size)
        }
    }

    #[test]
    fn a_stream_goes_on_after_a_signal_with_what_it_had() {
        let text: Vec<u8> = (0..25).collect();
        let source = Source::new(Interrupted(text.clone(), false)).in_blocks(10);
        let (mut block, mut all, mut interrupts) = (BlockBuffer::default(), Vec::new(), 0);
        loop {
            match source.take(&mut block) {
                Ok(None) => break,
                Ok(Some(_)) => all.extend_from_slice(&block),
                Err(error) if error.kind() == ErrorKind::Interrupted => interrupts += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(all, text);
        assert!(interrupts > 12, "{interrupts}");
    }

    struct Broken(usize);

    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(1).ok_or(ErrorKind::UnexpectedEof)?;
            buffer[0] = b'x';
            Ok(1)
        }
    }

    fn read(source: &Source) -> io::Result<Vec<u8>> {
        let (mut block, mut all) = (BlockBuffer::default(), Vec::new());
        for number in 0.. {
            match source.take(&mut block)? {
                Some(taken) => assert_eq!(taken, number),
                None => break,
            }
            all.extend_from_slice(&block);
        }
        assert!(source.take(&mut block)?.is_none(), "the end stays the end");
        Ok(all)
    }

    #[test]
    fn a_text_comes_whole_and_in_order_from_a_file_and_from_a_stream() {
        for size in [0, 1, 9, 10, 11, 57] {
            let text: Vec<u8> = (0..=250).cycle().take(size).collect();
            let stream = Source::new(io::Cursor::new(text.clone())).in_blocks(10);
            assert_eq!(read(&stream).unwrap(), text);
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&text).unwrap();
            let file = Source::of_file(file).unwrap().in_blocks(10);
            assert_eq!(matches!(file.input, Input::File { .. }), size > 0);
            assert_eq!(read(&file).unwrap(), text);
        }
    }

    #[test]
    fn a_file_that_is_cut_short_is_an_error_and_one_that_grows_ends_where_it_ended() {
        for (size_then, wanted) in [(25, None), (45, Some(40))] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&[b'x'; 40]).unwrap();
            let source = Source::of_file(file.try_clone().unwrap()).unwrap().in_blocks(10);
            let mut block = BlockBuffer::default();
            assert_eq!(source.take(&mut block).unwrap(), Some(0));
            file.set_len(size_then).unwrap();
            let mut size = block.len();
            let end = loop {
                match source.take(&mut block) {
                    Ok(Some(_)) => size += block.len(),
                    Ok(None) => break Some(size),
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
                        break None;
                    }
                }
            };
            assert_eq!(end, wanted);
        }
    }

    #[test]
    fn a_pipe_is_read_as_it_comes() {
        let (reader, mut writer) = io::pipe().unwrap();
        let source = Source::of_file(File::from(OwnedFd::from(reader))).unwrap();
        let writing = std::thread::spawn(move || {
            for piece in [b"ab", b"cd"] {
                writer.write_all(piece).unwrap();
            }
        });
        assert_eq!(read(&source).unwrap(), b"abcd");
        writing.join().unwrap();
    }

    #[test]
    fn an_error_is_told_and_not_taken_for_the_end() {
        let source = Source::new(Broken(3)).in_blocks(10);
        assert_eq!(read(&source).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
}
