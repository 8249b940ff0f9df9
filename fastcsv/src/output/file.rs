//! One output file: created anew and private, checksummed as it is written, synced at its end.
//!
//! A long file is sent to the disk while it grows, and the part that the disk has is dropped from memory.
//! Otherwise gigabytes wait for the sync at the end, which stops every other writer on the disk, and they push
//! the pages of a database out of the page cache. Fresh pages cost the kernel time as well: without this ten
//! times the file took 13 times the kernel's time, with it 10 times.

use crate::checksum::Crc32c;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
#[cfg(target_os = "linux")]
use std::num::NonZeroU64;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A file that is complete and durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFile {
    pub name: &'static str,
    pub size_bytes: u64,
    pub crc32c: u32,
}

/// What is sent to the disk at once.
const STRIDE_BYTES: u64 = 8 << 20;
/// So many strides stay in memory, for the next reader of the file too.
const STRIDES_KEPT: u64 = 4;

#[derive(Debug)]
pub struct FileWriter {
    file: File,
    name: &'static str,
    size_bytes: u64,
    crc32c: Crc32c,
    /// How much has been sent to the disk.
    sent_bytes: u64,
}

impl FileWriter {
    /// Creates the file, which must not exist.
    pub fn create(folder: &Path, name: &'static str) -> io::Result<Self> {
        let file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(name))?;
        Ok(Self { file, name, size_bytes: 0, crc32c: Crc32c::default(), sent_bytes: 0 })
    }

    /// Writes at once: callers hand over large pieces.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.size_bytes += bytes.len() as u64;
        self.crc32c.add(bytes);
        while self.size_bytes - self.sent_bytes >= STRIDE_BYTES {
            self.forget(self.sent_bytes);
            if let Some(begin) = self.sent_bytes.checked_sub(STRIDES_KEPT * STRIDE_BYTES) {
                self.forget(begin);
            }
            self.sent_bytes += STRIDE_BYTES;
        }
        Ok(())
    }

    /// Says that a stride will not be read soon. What has not been written then is sent to the disk, without
    /// waiting for it; what has been is dropped from memory. It is advice, so it cannot fail.
    #[cfg(target_os = "linux")]
    fn forget(&self, begin: u64) {
        let stride = NonZeroU64::new(STRIDE_BYTES);
        let _ = rustix::fs::fadvise(&self.file, begin, stride, rustix::fs::Advice::DontNeed);
    }

    #[cfg(not(target_os = "linux"))]
    #[allow(clippy::unused_self, reason = "as on Linux")]
    fn forget(&self, _begin: u64) {}

    /// Waits until the disk has it.
    pub fn finish(self) -> io::Result<OutputFile> {
        self.file.sync_all()?;
        let Self { name, size_bytes, crc32c, .. } = self;
        Ok(OutputFile { name, size_bytes, crc32c: crc32c.value() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_many_strides_comes_back_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = FileWriter::create(folder.path(), "long").unwrap();
        let (mut wanted, mut piece) = (Vec::new(), Vec::new());
        for number in 0_u32.. {
            piece.clear();
            piece.extend((0..50_000).flat_map(|step| (number * 7919 + step).to_le_bytes()));
            writer.write(&piece).unwrap();
            wanted.extend_from_slice(&piece);
            if wanted.len() as u64 > (STRIDES_KEPT + 3) * STRIDE_BYTES {
                break;
            }
        }
        let written = writer.finish().unwrap();
        assert!(std::fs::read(folder.path().join("long")).unwrap() == wanted);
        assert_eq!(written.size_bytes, wanted.len() as u64);
        let mut sum = Crc32c::default();
        sum.add(&wanted);
        assert_eq!(written.crc32c, sum.value());
    }
}
