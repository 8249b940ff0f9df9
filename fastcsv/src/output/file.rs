//! One output file: created anew and private, checksummed as it is written, synced at its end.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A file that is complete and durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFile {
    pub name: &'static str,
    pub size_bytes: u64,
    pub crc32c: u32,
}

#[derive(Debug)]
pub struct Writer {
    file: File,
    written: OutputFile,
}

impl Writer {
    /// Creates the file, which must not exist.
    pub fn create(folder: &Path, name: &'static str) -> io::Result<Self> {
        let file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(name))?;
        Ok(Self { file, written: OutputFile { name, size_bytes: 0, crc32c: 0 } })
    }

    /// Writes at once: callers hand over large pieces.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.written.size_bytes += bytes.len() as u64;
        self.written.crc32c = crc32c::crc32c_append(self.written.crc32c, bytes);
        Ok(())
    }

    /// Waits until the disk has it.
    pub fn finish(self) -> io::Result<OutputFile> {
        self.file.sync_all()?;
        Ok(self.written)
    }
}
