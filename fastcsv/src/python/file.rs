//! `validate_file`: a whole file at once, which Ctrl-C can stop.

use super::options::PyOptions;
use super::report::PyReport;
use super::schema::Candidates;
use super::validator::PyValidator;
use crate::error::Error;
use crate::input::Source;
use pyo3::prelude::*;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// How often the reading of a file looks at signals.
const SIGNALS_EVERY: Duration = Duration::from_millis(50);

/// Validates a file into a folder, and removes what it wrote if that fails.
#[pyfunction]
#[pyo3(signature = (
    schema, path, out_dir, *, batch = "", source_file = None, quarantined_at = None, options = None
))]
#[allow(clippy::too_many_arguments, reason = "keyword-only, all but three")]
pub fn validate_file(
    py: Python<'_>,
    schema: Candidates,
    path: PathBuf,
    out_dir: PathBuf,
    batch: &str,
    source_file: Option<&str>,
    quarantined_at: Option<&str>,
    options: Option<&PyOptions>,
) -> PyResult<PyReport> {
    let schemas = match schema {
        Candidates::One(schema) => vec![schema],
        Candidates::Many(schemas) => schemas,
    };
    let (name, now) = names_of(&path);
    let mut file = source(py, &path)?;
    let validator = PyValidator::new(
        py,
        schemas,
        out_dir,
        batch,
        source_file.unwrap_or(&name),
        quarantined_at.unwrap_or(&now),
        options,
    )?;
    let feed = |file: &mut Source, goes_on: &mut dyn FnMut() -> bool| {
        validator.work(|core| core.feed_from(file, goes_on))
    };
    let read = read_file(py, feed, &mut file).and_then(|()| validator.finish(py));
    if read.is_err() {
        // What went wrong first is what the caller must hear.
        let _ = validator.abort(py);
    }
    read
}

/// The file's name, and the time now (RFC 3339): what a batch is told where its caller says nothing else.
pub(super) fn names_of(path: &Path) -> (String, String) {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    (name, crate::clock::rfc3339(SystemTime::now()))
}

/// Opens a file for `read_file`.
pub(super) fn source(py: Python<'_>, path: &Path) -> PyResult<Source> {
    Ok(Source::of_file(open(py, path)?).map_err(Error::from)?)
}

/// Has `feed` read the file to its end. Ctrl-C stops it.
pub(super) fn read_file(
    py: Python<'_>,
    feed: impl Fn(&mut Source, &mut dyn FnMut() -> bool) -> Result<bool, Error> + Sync,
    file: &mut Source,
) -> PyResult<()> {
    let mut looked = Instant::now();
    loop {
        let mut interrupt = None;
        let mut goes_on = || {
            if interrupt.is_none() && looked.elapsed() > SIGNALS_EVERY {
                Python::attach(|py| interrupt = py.check_signals().err());
                looked = Instant::now();
            }
            interrupt.is_none()
        };
        let read = py.detach(|| feed(file, &mut goes_on));
        if let Some(interrupt) = interrupt {
            return Err(interrupt);
        }
        if read? {
            return Ok(());
        }
        py.check_signals()?;
    }
}

/// Opens for reading. Ctrl-C stops the wait for a writer of a pipe.
fn open(py: Python<'_>, path: &Path) -> PyResult<File> {
    loop {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        match py.detach(|| rustix::fs::open(path, flags, Mode::empty())) {
            Ok(file) => return Ok(File::from(file)),
            Err(Errno::INTR) => py.check_signals()?,
            Err(error) => return Err(Error::from(io::Error::from(error)).into()),
        }
    }
}
