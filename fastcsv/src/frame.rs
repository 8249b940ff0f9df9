//! Cuts text into records: where each begins and ends, on which line, and which are malformed.
//!
//! The one hard idea is what to do with a record that breaks a rule (a quote that is stray or never
//! closed, too many bytes, too many lines). Where it was meant to end cannot be known. So it is cut back
//! to its first line, and the reader goes on from the next line as if nothing had been read. Records
//! that begin before the place where the rule was broken are marked `recovered`. No byte is lost, and no
//! byte is read more than twice: the parity of quotes in the lines that were swallowed is even up to the
//! fault, so none of them can swallow anything in its turn. That place depends on the text alone, hence
//! chunk boundaries change nothing.

mod record;

use crate::options::KEPT_BYTES;
use crate::tokenise::{FramedMarks, Instructions, Marks, Tokeniser, narrow};
pub use record::{Borrowed, Fault, Frame, Record, Sink};
use std::ops::Range;

/// Bytes scanned before their records are handed on: the marks and the text stay in the L2 cache.
const WINDOW: usize = 128 << 10;
/// Bytes first added to an open record that a new chunk may complete.
const PIECE: usize = 4 << 10;
/// Positions are u32: a longer chunk is taken in parts.
const MAX_CHUNK: usize = 1 << 30;

#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub record_bytes: usize,
    pub record_lines: usize,
}

/// A broken rule and the position where it was broken.
type Breach = (usize, Fault);

/// A line over the byte bound, of which only the head is held.
#[derive(Debug)]
struct LongLine {
    head: Vec<u8>,
    offset: u64,
    length: u64,
    fault: Fault,
    recovered: bool,
}

/// Frames one text, fed in chunks.
#[derive(Debug)]
pub struct Framer {
    bounds: Bounds,
    tokeniser: Tokeniser,
    records: Vec<Record>,
    framed: FramedMarks,
    /// The open record's bytes from earlier chunks.
    held: Vec<u8>,
    /// How much of the text has been scanned, and whether earlier scans of the open record saw NUL.
    scanned: usize,
    seen_nul_before: bool,
    /// The rule that the open record breaks, while its first line is not complete.
    breach: Option<Breach>,
    long_line: Option<LongLine>,
    /// Where the text begins in the input; the row and the line of the open record.
    offset: u64,
    row: u64,
    line: u64,
    /// Records that begin before this offset are recovered.
    recover_until: u64,
}

impl Framer {
    /// A framer for the rows after a header that ends at `offset`, before the line `line`.
    #[must_use]
    pub fn new(delimiter: u8, bounds: Bounds, offset: u64, line: u64) -> Self {
        Self {
            bounds,
            tokeniser: Tokeniser::new(delimiter, Instructions::detect()),
            records: Vec::new(),
            framed: FramedMarks::default(),
            held: Vec::new(),
            scanned: 0,
            seen_nul_before: false,
            breach: None,
            long_line: None,
            offset,
            row: 1,
            line,
            recover_until: 0,
        }
    }

    /// Hands on every record that `data` completes, and holds the open one.
    pub fn feed<S: Sink>(&mut self, data: &[u8], sink: &mut S) -> Result<(), S::Error> {
        for chunk in data.chunks(MAX_CHUNK) {
            self.feed_chunk(chunk, sink)?;
        }
        Ok(())
    }

    fn feed_chunk<S: Sink>(&mut self, chunk: &[u8], sink: &mut S) -> Result<(), S::Error> {
        let mut taken = 0;
        while !self.held.is_empty() && taken < chunk.len() {
            let mut held = std::mem::take(&mut self.held);
            let piece = held.len().max(PIECE).min(chunk.len() - taken);
            held.extend_from_slice(&chunk[taken..taken + piece]);
            taken += piece;
            let framed = self.frame(&held, false, sink)?;
            let open = held.len() - framed;
            if open <= piece {
                // What is open now begins in this chunk: read it where it stands.
                taken -= open;
                held.clear();
                self.restart(0);
            } else {
                held.drain(..framed);
            }
            self.held = held;
        }
        if taken < chunk.len() {
            let framed = self.frame(&chunk[taken..], false, sink)?;
            self.held.extend_from_slice(&chunk[taken + framed..]);
        }
        Ok(())
    }

    /// Hands on what is left at the end of the input.
    pub fn finish<S: Sink>(&mut self, sink: &mut S) -> Result<(), S::Error> {
        let held = std::mem::take(&mut self.held);
        let framed = self.frame(&held, true, sink)?;
        debug_assert_eq!(framed, held.len(), "nothing stays open at the end");
        Ok(())
    }

    /// Frames what it can of `text`, which begins with the open record, and says how much that was.
    fn frame<S: Sink>(&mut self, text: &[u8], last: bool, sink: &mut S) -> Result<usize, S::Error> {
        let mut start = 0;
        loop {
            if self.long_line.is_some() {
                start = self.pass_long_line(text, start, last, sink)?;
                self.restart(start);
                if self.long_line.is_some() {
                    break;
                }
            }
            if self.breach.is_none() {
                self.scan_window(text);
                start = self.gather(text, start, last);
            }
            self.hand_on(text, sink)?;
            if let Some(breach) = self.breach {
                if let Some(next) = self.cut(text, start, breach, last) {
                    self.hand_on(text, sink)?;
                    start = next;
                    self.restart(start);
                } else if self.long_line.is_none() {
                    break;
                }
                continue;
            }
            if self.scanned == text.len() {
                break;
            }
        }
        self.close(start);
        Ok(start)
    }

    fn scan_window(&mut self, text: &[u8]) {
        let end = text.len().min(self.scanned + WINDOW);
        let fault = self.tokeniser.scan(&text[self.scanned..end], narrow(self.scanned));
        self.scanned = end;
        self.breach = fault.map(|position| {
            let position = position as usize;
            let stray = text[position] == b'"';
            (position, if stray { Fault::StrayQuote } else { Fault::TrailingText })
        });
    }

    /// Notes the complete records from `start` on, and where the open one begins. Stops at a record
    /// that breaks a bound.
    fn gather(&mut self, text: &[u8], mut start: usize, last: bool) -> usize {
        let mut open_end = self.breach.map_or(self.scanned, |(position, _)| position);
        loop {
            let Some(&end_mark) = self.tokeniser.marks.ends.as_slice().get(self.framed.ends) else {
                if self.ends_here(text, start, last) {
                    continue;
                }
                break;
            };
            let end = self.tokeniser.marks.separators.as_slice()[end_mark as usize] as usize;
            let Some(next) = after_line_end(text, end, last) else {
                open_end = end;
                break;
            };
            if end > start {
                if let Some(breach) = self.bound_broken(start, end) {
                    self.breach = Some(breach);
                    return start;
                }
                self.note(start..end, next, end_mark as usize + 1);
            } else {
                self.line += 1;
            }
            start = next;
            self.framed.marks = end_mark as usize + 1;
            self.framed.ends += 1;
        }
        if let Some(breach) = self.bound_broken(start, open_end) {
            self.breach = Some(breach);
        }
        start
    }

    /// At the end of the input, ends the open record, or finds that its quote is never closed.
    fn ends_here(&mut self, text: &[u8], start: usize, last: bool) -> bool {
        let at_end = last && self.scanned == text.len() && start < text.len();
        if !at_end || self.breach.is_some() {
            return false;
        }
        if self.tokeniser.in_quotes() {
            self.breach = Some((text.len(), Fault::UnclosedQuote));
            return false;
        }
        self.tokeniser.marks.end_at(narrow(text.len()));
        true
    }

    /// Notes the record `span`, which takes the marks up to `marks_end`.
    #[inline]
    fn note(&mut self, span: Range<usize>, next: usize, marks_end: usize) {
        let FramedMarks { marks: first_mark, inner_lines, escapes: first_escape, .. } = self.framed;
        let Marks { inner_lines: lines, escapes, .. } = &self.tokeniser.marks;
        let within = |positions: &[u32]| {
            positions.iter().take_while(|&&position| (position as usize) < span.end).count()
        };
        let inner_lines = within(&lines.as_slice()[inner_lines..]);
        let escapes = within(&escapes.as_slice()[first_escape..]);
        self.records.push(Record {
            start: narrow(span.start),
            end: narrow(span.end),
            next: narrow(next),
            first_mark: narrow(first_mark),
            cells: narrow(marks_end - first_mark),
            first_escape: narrow(first_escape),
            escapes: narrow(escapes),
            line: self.line,
            length: span.len() as u64,
            fault: None,
            recovered: self.offset + (span.start as u64) < self.recover_until,
        });
        self.framed.inner_lines += inner_lines;
        self.framed.escapes += escapes;
        self.line += 1 + inner_lines as u64;
    }

    /// The first bound that the record from `start` breaks before `end`.
    #[inline]
    fn bound_broken(&self, start: usize, end: usize) -> Option<Breach> {
        let Bounds { record_bytes, record_lines } = self.bounds;
        let too_long = end - start > record_bytes;
        let within = if too_long { start + record_bytes } else { end };
        let last_line = self.framed.inner_lines.saturating_add(record_lines - 1);
        match self.tokeniser.marks.inner_lines.as_slice().get(last_line) {
            Some(&position) if (position as usize) < within => {
                Some((position as usize, Fault::RecordLines))
            }
            _ => too_long.then_some((within, Fault::RecordBytes)),
        }
    }

    /// Cuts the open record back to its first line and says where the next line begins, or waits
    /// (`None`): for the rest of the line, or as `long_line` for its end.
    fn cut(&mut self, text: &[u8], start: usize, breach: Breach, last: bool) -> Option<usize> {
        let (position, fault) = breach;
        let line_end = memchr::memchr2(b'\r', b'\n', &text[start..]).map(|at| start + at);
        let (end, next) = match line_end {
            Some(end) => (end, after_line_end(text, end, last)?),
            None if last => (text.len(), text.len()),
            None if text.len() - start > self.bounds.record_bytes => {
                let offset = self.offset + start as u64;
                let recovered = offset < self.recover_until;
                self.recover_until = self.recover_until.max(self.offset + position as u64);
                let head = Vec::with_capacity(KEPT_BYTES);
                self.long_line = Some(LongLine { head, offset, length: 0, fault, recovered });
                return None;
            }
            None => return None,
        };
        let length = end - start;
        let kept = if length > self.bounds.record_bytes { length.min(KEPT_BYTES) } else { length };
        self.records.push(Record {
            start: narrow(start),
            end: narrow(start + kept),
            next: narrow(next),
            first_mark: 0,
            cells: 0,
            first_escape: 0,
            escapes: 0,
            line: self.line,
            length: length as u64,
            fault: Some(fault),
            recovered: self.offset + (start as u64) < self.recover_until,
        });
        self.line += 1;
        self.recover_until = self.recover_until.max(self.offset + position as u64);
        Some(next)
    }

    /// Passes over a line that is not held, from `start`; hands on its head once its end is found.
    fn pass_long_line<S: Sink>(
        &mut self,
        text: &[u8],
        start: usize,
        last: bool,
        sink: &mut S,
    ) -> Result<usize, S::Error> {
        let Some(mut line) = self.long_line.take() else {
            return Ok(start);
        };
        let found = memchr::memchr2(b'\r', b'\n', &text[start..]).map(|at| start + at);
        let end = found.unwrap_or(text.len());
        let kept = (end - start).min(KEPT_BYTES - line.head.len());
        line.head.extend_from_slice(&text[start..start + kept]);
        line.length += (end - start) as u64;
        let next = match found {
            Some(end) => after_line_end(text, end, last),
            None => last.then_some(end),
        };
        let Some(next) = next else {
            self.long_line = Some(line);
            return Ok(end);
        };
        let record = Record {
            start: 0,
            end: narrow(line.head.len()),
            next: narrow(line.head.len()),
            first_mark: 0,
            cells: 0,
            first_escape: 0,
            escapes: 0,
            line: self.line,
            length: line.length,
            fault: Some(line.fault),
            recovered: line.recovered,
        };
        self.line += 1;
        self.row += 1;
        sink.take(Frame {
            text: &line.head,
            marks: &[],
            escapes: &[],
            records: &[record],
            seen_nul: false,
            offset: line.offset,
            first_row: self.row - 1,
        })?;
        Ok(next)
    }

    /// Hands on the complete records, and drops their marks.
    fn hand_on<S: Sink>(&mut self, text: &[u8], sink: &mut S) -> Result<(), S::Error> {
        let framed = std::mem::take(&mut self.framed);
        let seen_nul = std::mem::take(&mut self.tokeniser.seen_nul);
        let seen_nul_before = self.seen_nul_before;
        // If any record ended in this window, the open one began in it.
        self.seen_nul_before = seen_nul || (framed.ends == 0 && seen_nul_before);
        let marks = &mut self.tokeniser.marks;
        if self.records.is_empty() {
            marks.forget(framed);
            return Ok(());
        }
        let frame = Frame {
            text,
            marks: marks.separators.as_slice(),
            escapes: marks.escapes.as_slice(),
            records: &self.records,
            seen_nul: seen_nul | seen_nul_before,
            offset: self.offset,
            first_row: self.row,
        };
        self.row += self.records.len() as u64;
        if let Some(Borrowed { marks: separators, escapes, records }) = sink.keep(frame) {
            marks.exchange(framed, separators, escapes);
            std::mem::swap(&mut self.records, records);
        } else {
            sink.take(frame)?;
            marks.forget(framed);
        }
        self.records.clear();
        Ok(())
    }

    /// Reads from `position` on as from the start of a record.
    fn restart(&mut self, position: usize) {
        self.tokeniser.reset();
        self.scanned = position;
        self.seen_nul_before = false;
        self.breach = None;
        self.framed = FramedMarks::default();
    }

    /// Makes all positions count from `start`, where the open record begins.
    fn close(&mut self, start: usize) {
        self.tokeniser.marks.rebase(narrow(start));
        self.scanned -= start;
        self.breach = self.breach.map(|(position, fault)| (position - start, fault));
        self.offset += start as u64;
    }
}

/// Where the line after the line end at `end` begins. `None`: it is a CR at the end of what is there, and
/// an LF may follow.
#[inline]
fn after_line_end(text: &[u8], end: usize, last: bool) -> Option<usize> {
    match text.get(end..) {
        Some([b'\r', b'\n', ..]) => Some(end + 2),
        Some([b'\r']) if !last => None,
        _ => Some((end + 1).min(text.len())),
    }
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
