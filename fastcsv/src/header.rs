//! Reads the header: the first line that is not blank, its delimiter, its names, and the schema it fits.
//!
//! A line before it that is Excel's `sep=;` names the delimiter, and only counts. A delimiter that the caller gives
//! counts more; without either it is the one under which most names are known to a candidate schema, then the one that
//! makes most columns. Names count without the blanks around them. A header that has
//! a name twice or a column without one refuses the batch.

mod separator;

use crate::cells::parse_line;
use crate::error::{EncodingFault, Error, HeaderFault, HeaderReason, InputError, LimitFault};
use crate::options::Options;
use crate::schema::{self, BoundSchema, Difference, HeaderMismatch, RowSchema, clean, detect};
pub use separator::{DELIMITERS, Separator};
use std::collections::HashSet;

const UTF8_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// Collects the header's bytes, fed in chunks.
#[derive(Debug)]
pub struct HeaderReader {
    held: Vec<u8>,
    /// Bytes of `held` already looked at, and whether they end inside quotes.
    scanned: usize,
    quoted: bool,
    max_bytes: usize,
    /// Bytes in front of the header: a byte-order mark, blank lines, the line that names the delimiter.
    passed_bytes: u64,
    lines: u64,
    separator: Option<Separator>,
}

/// The header's record as it came.
#[derive(Debug)]
pub struct HeaderRecord {
    /// With its line end.
    pub bytes: Vec<u8>,
    pub text_bytes: usize,
    /// Bytes and lines of the text up to the first row.
    pub end_offset: u64,
    pub lines: u64,
    /// What a line before it says of the delimiter.
    pub separator: Option<Separator>,
}

/// The header understood.
#[derive(Debug)]
pub struct Header {
    pub names: Vec<String>,
    pub delimiter: u8,
    /// Which of the candidates.
    pub schema_index: usize,
    pub schema: RowSchema,
    pub bound: BoundSchema,
    pub difference: Difference,
}

impl HeaderReader {
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        Self {
            held: Vec::new(),
            scanned: 0,
            quoted: false,
            max_bytes,
            passed_bytes: 0,
            lines: 0,
            separator: None,
        }
    }

    /// Takes text until the header is complete; then says how much of `text` it took.
    pub fn feed(&mut self, text: &[u8]) -> Result<Option<(HeaderRecord, usize)>, Error> {
        let mut taken = 0;
        while taken < text.len() {
            let piece = text.len().min(taken + 4096);
            self.held.extend_from_slice(&text[taken..piece]);
            taken = piece;
            if let Some(record) = self.find_end(false)? {
                return Ok(Some((record, taken - (self.held.len() - self.scanned))));
            }
        }
        Ok(None)
    }

    /// The header of an input that ends here.
    pub fn finish(&mut self) -> Result<HeaderRecord, Error> {
        self.find_end(true)?.ok_or_else(|| InputError::Empty.into())
    }

    fn find_end(&mut self, last: bool) -> Result<Option<HeaderRecord>, Error> {
        if self.passed_bytes == 0 && self.scanned == 0 {
            if self.held.starts_with(UTF8_MARK) {
                self.pass(UTF8_MARK.len());
            } else if UTF8_MARK.starts_with(&self.held) && !last {
                return Ok(None);
            }
        }
        while let Some(&byte) = self.held.get(self.scanned) {
            let next = self.held.get(self.scanned + 1);
            match byte {
                b'"' => self.quoted = !self.quoted,
                b'\r' if next.is_none() && !last => return Ok(None),
                b'\r' if next == Some(&b'\n') => self.scanned += 1,
                _ => {}
            }
            self.scanned += 1;
            if matches!(byte, b'\r' | b'\n') {
                self.lines += 1;
                if self.scanned <= 2 && matches!(self.held[0], b'\r' | b'\n') {
                    self.pass(self.scanned);
                } else if !self.quoted && !self.pass_separator() {
                    return self.complete();
                }
            }
            if self.scanned > self.max_bytes {
                return Err(
                    InputError::Limit(LimitFault::HeaderBytes(self.max_bytes as u64)).into()
                );
            }
        }
        let is_open = last && !self.held.is_empty() && !self.pass_separator();
        if is_open { self.complete() } else { Ok(None) }
    }

    /// Whether the line that was scanned is Excel's, the first of them; it is passed then.
    fn pass_separator(&mut self) -> bool {
        if self.separator.is_some() {
            return false;
        }
        self.separator = Separator::of_line(&self.held[..self.scanned]);
        if self.separator.is_some() {
            self.pass(self.scanned);
        }
        self.separator.is_some()
    }

    fn pass(&mut self, size_bytes: usize) {
        self.passed_bytes += size_bytes as u64;
        self.held.drain(..size_bytes);
        self.scanned = 0;
    }

    fn complete(&mut self) -> Result<Option<HeaderRecord>, Error> {
        let bytes = self.held[..self.scanned].to_vec();
        let text_bytes = bytes.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n'));
        let text_bytes = text_bytes.map_or(0, |at| at + 1);
        if text_bytes > self.max_bytes {
            return Err(InputError::Limit(LimitFault::HeaderBytes(self.max_bytes as u64)).into());
        }
        Ok(Some(HeaderRecord {
            text_bytes,
            end_offset: self.passed_bytes + bytes.len() as u64,
            lines: self.lines,
            separator: self.separator,
            bytes,
        }))
    }
}

impl Header {
    /// Reads the names and finds the schema, or says why there is none.
    pub fn read(
        record: &HeaderRecord,
        schemas: &[RowSchema],
        options: &Options,
    ) -> Result<Self, Error> {
        let named = match (options.delimiter, record.separator) {
            (Some(given), _) => Some(given),
            (None, Some(Separator::BatchNames(named))) => Some(named),
            (None, Some(Separator::Unreadable)) => return Err(unreadable_separator().into()),
            (None, Some(Separator::Outdated) | None) => None,
        };
        Self::read_by(record, schemas, options, named).map_err(|error| match error {
            Error::Input(InputError::Header(fault)) => remark(*fault, record, options).into(),
            other => other,
        })
    }

    fn read_by(
        record: &HeaderRecord,
        schemas: &[RowSchema],
        options: &Options,
        delimiter: Option<u8>,
    ) -> Result<Self, Error> {
        let text = std::str::from_utf8(&record.bytes[..record.text_bytes])
            .map_err(|_| InputError::Encoding(EncodingFault::HeaderNotUtf8))?;
        if text.contains('\0') {
            return Err(InputError::Encoding(EncodingFault::HeaderHasNul).into());
        }
        let (delimiter, names) = read_names(text, schemas, delimiter)?;
        if names.len() > options.max_fields {
            let bound = LimitFault::HeaderFields(options.max_fields as u64);
            return Err(InputError::Limit(bound).into());
        }
        refuse_unnamed(&names)?;
        refuse_duplicated(&names)?;
        let schema_index = find_schema(schemas, &names)?;
        let schema = &schemas[schema_index];
        let bound =
            schema.bind(&names, options.strict).map_err(|mismatch| mismatched(mismatch, None))?;
        Ok(Self {
            delimiter,
            difference: Difference::between(schema, &names),
            schema_index,
            schema: schema.clone(),
            bound,
            names,
        })
    }
}

/// The index of the schema that fits the names best; the fault names what the nearest misses.
pub fn find_schema(schemas: &[RowSchema], names: &[String]) -> Result<usize, Error> {
    let candidates: Vec<&RowSchema> = schemas.iter().collect();
    detect(&candidates, names).map_err(|mismatch| {
        let nearest = mismatch.nearest.map(|index| &schemas[index]);
        let nearest = nearest.map(|schema| format!("{}/{}", schema.name(), schema.version()));
        mismatched(mismatch, nearest).into()
    })
}

fn mismatched(mismatch: HeaderMismatch, nearest: Option<String>) -> HeaderFault {
    let reason = match mismatch.reason {
        schema::MismatchReason::EmptyName => HeaderReason::NameEmpty,
        schema::MismatchReason::DoubledName => HeaderReason::NameDoubled,
        schema::MismatchReason::MissingColumns => HeaderReason::Mismatch,
        schema::MismatchReason::UnknownColumns => HeaderReason::ColumnsUnknown,
    };
    let mut fault = HeaderFault::new(reason, mismatch.detail);
    fault.nearest = nearest;
    fault.similar = mismatch.similar;
    match reason {
        HeaderReason::NameDoubled => fault.duplicated = mismatch.columns,
        HeaderReason::ColumnsUnknown => fault.unknown = mismatch.columns,
        _ => fault.missing = mismatch.columns,
    }
    fault
}

fn unreadable_separator() -> HeaderFault {
    let detail = "the first line is Excel's sep= and names no delimiter that is read";
    HeaderFault::new(HeaderReason::SeparatorUnreadable, detail.to_owned())
}

/// Says by which delimiter a refused header was read, where the file names one.
fn remark(mut fault: HeaderFault, record: &HeaderRecord, options: &Options) -> HeaderFault {
    let Some(Separator::BatchNames(named)) = record.separator else { return fault };
    let words = |delimiter| match delimiter {
        b'\t' => "tab".to_owned(),
        other => char::from(other).to_string(),
    };
    let remark = match options.delimiter {
        Some(given) if given != named => format!(
            "; it was read with the delimiter {} that was given, its first line names {}",
            words(given),
            words(named)
        ),
        _ => {
            format!("; it was read with the delimiter {} that its first line names", words(named))
        }
    };
    fault.detail.push_str(&remark);
    fault
}

fn read_names(
    text: &str,
    schemas: &[RowSchema],
    given: Option<u8>,
) -> Result<(u8, Vec<String>), Error> {
    let known: HashSet<&str> =
        schemas.iter().flat_map(RowSchema::columns).map(|it| it.name.as_str()).collect();
    let candidates = given.map_or(DELIMITERS.to_vec(), |delimiter| vec![delimiter]);
    let mut best: Option<((usize, usize), u8, Vec<String>)> = None;
    for delimiter in candidates {
        let Some(cells) = parse_line(text, delimiter) else { continue };
        let names: Vec<String> = cells.iter().map(|cell| clean(cell).to_owned()).collect();
        let score =
            (names.iter().filter(|name| known.contains(name.as_str())).count(), names.len());
        if best.as_ref().is_none_or(|(best_score, ..)| score > *best_score) {
            best = Some((score, delimiter, names));
        }
    }
    let (_, delimiter, names) = best.ok_or_else(|| {
        let detail = "the header's quotes cannot be paired".to_owned();
        HeaderFault::new(HeaderReason::Malformed, detail)
    })?;
    Ok((delimiter, names))
}

fn refuse_unnamed(names: &[String]) -> Result<(), Error> {
    let empty: Vec<usize> = names
        .iter()
        .enumerate()
        .filter(|(_, name)| name.is_empty())
        .map(|(at, _)| at + 1)
        .collect();
    if empty.is_empty() {
        return Ok(());
    }
    let places: Vec<String> = empty.iter().map(usize::to_string).collect();
    let detail = format!("the header has columns without a name: {}", places.join(", "));
    let mut fault = HeaderFault::new(HeaderReason::NameEmpty, detail);
    fault.empty = empty;
    Err(fault.into())
}

fn refuse_duplicated(names: &[String]) -> Result<(), Error> {
    let mut seen = HashSet::new();
    let mut duplicated: Vec<String> = Vec::new();
    for name in names {
        if !seen.insert(name) && !duplicated.contains(name) {
            duplicated.push(name.clone());
        }
    }
    if duplicated.is_empty() {
        return Ok(());
    }
    let detail = format!("the header has columns twice: {}", duplicated.join(", "));
    let mut fault = HeaderFault::new(HeaderReason::NameDoubled, detail);
    fault.duplicated = duplicated;
    Err(fault.into())
}
