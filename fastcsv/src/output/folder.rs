//! The folder that a batch's files are written to: all of them, or none.
//!
//! Files are private and never overwrite one. Whatever was made here goes again if the batch is not
//! finished, the folder too where it did not exist before.

use super::file::{FileWriter, OutputFile};
use super::{errors_csv, records, report};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    made: bool,
    names: Vec<&'static str>,
    files: Option<Files>,
    /// Of rows and errors, so far.
    written_bytes: u64,
}

#[derive(Debug)]
struct Files {
    records: FileWriter,
    errors: FileWriter,
    valid: Option<FileWriter>,
}

impl Folder {
    /// Makes the folder, where it does not exist, and the files in it. `valid` names the file of valid records, where
    /// there is to be one.
    pub fn create(path: &Path, valid: Option<&'static str>) -> io::Result<Self> {
        let made = match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(error),
        };
        let mut folder =
            Self { path: path.to_owned(), made, names: Vec::new(), files: None, written_bytes: 0 };
        let files = Files {
            records: folder.create_file(records::NAME)?,
            errors: folder.create_file(errors_csv::NAME)?,
            valid: valid.map(|name| folder.create_file(name)).transpose()?,
        };
        folder.files.insert(files).errors.write(errors_csv::HEADER.as_bytes())?;
        Ok(folder)
    }

    fn create_file(&mut self, name: &'static str) -> io::Result<FileWriter> {
        let file = FileWriter::create(&self.path, name)?;
        self.names.push(name);
        Ok(file)
    }

    /// Writes rows in the order in which they came.
    pub fn write(&mut self, records: &[u8], errors: &[u8], valid: &[u8]) -> io::Result<()> {
        let Some(files) = &mut self.files else { return Ok(()) };
        self.written_bytes += (records.len() + errors.len() + valid.len()) as u64;
        if !records.is_empty() {
            files.records.write(records)?;
            files.errors.write(errors)?;
        }
        match &mut files.valid {
            Some(file) if !valid.is_empty() => file.write(valid),
            _ => Ok(()),
        }
    }

    /// How much of rows and errors has been written.
    #[must_use]
    pub fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// Makes everything durable, the report last.
    pub fn finish(
        &mut self,
        report: impl FnOnce(&[OutputFile]) -> Vec<u8>,
    ) -> io::Result<Vec<OutputFile>> {
        let mut finished = Vec::new();
        if let Some(Files { records, errors, valid }) = self.files.take() {
            finished.push(records.finish()?);
            finished.push(errors.finish()?);
            if let Some(valid) = valid {
                finished.push(valid.finish()?);
            }
        }
        let mut file = self.create_file(report::NAME)?;
        file.write(&report(&finished))?;
        finished.push(file.finish()?);
        File::open(&self.path)?.sync_all()?;
        self.names.clear();
        self.made = false;
        Ok(finished)
    }

    /// Removes what was made. After `finish` it does nothing.
    pub fn remove(&mut self) -> io::Result<()> {
        self.files = None;
        for name in self.names.drain(..) {
            match fs::remove_file(self.path.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if std::mem::take(&mut self.made) {
            match fs::remove_dir(&self.path) {
                // Another program put a file there, which stays.
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => return other,
            }
        }
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A drop cannot report an error. A caller that wants to know has called `remove`.
        let _ = self.remove();
    }
}
