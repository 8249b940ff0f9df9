//! Cuts text into lines, and numbers them. It holds a line that is open, up to the bound, and nothing more.

use crate::options::KEPT_BYTES;
use std::ops::Range;

/// The byte-order mark of UTF-8. It is passed over where the text begins with it.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Consecutive lines, each with its line end. The last line of the input may have none.
#[derive(Debug, Clone, Copy)]
pub struct Lines<'a> {
    pub text: &'a [u8],
    /// Where `text` begins in the input.
    pub offset: u64,
    /// The number of the first line, from 1.
    pub first_line: u64,
    /// The number of the first payload, from 1: lines of blanks alone are not counted.
    pub first_row: u64,
    /// Of one line that was too long to be held: its length without the line end. `text` is its beginning then.
    pub long_bytes: Option<u64>,
}

/// What takes the lines.
pub trait LineSink {
    type Error;
    fn take(&mut self, lines: Lines<'_>) -> Result<(), Self::Error>;
}

/// A line over the bound, of which only the head is held.
#[derive(Debug)]
struct LongHead {
    head: Vec<u8>,
    size_bytes: u64,
    /// The last two bytes, which may be a line end.
    last: [u8; 2],
}

/// Frames one text, fed in pieces. Where it is cut changes nothing.
#[derive(Debug)]
pub struct LineFramer {
    max_line_bytes: usize,
    /// The open line's bytes from earlier pieces.
    held: Vec<u8>,
    long: Option<LongHead>,
    /// Where the open line begins, its number, and the number of the next payload.
    offset: u64,
    line: u64,
    row: u64,
    has_begun: bool,
}

impl LineFramer {
    #[must_use]
    pub fn new(max_line_bytes: usize) -> Self {
        Self {
            max_line_bytes,
            held: Vec::new(),
            long: None,
            offset: 0,
            line: 1,
            row: 1,
            has_begun: false,
        }
    }

    /// Hands on every line that `text` completes, and holds the open one. The first piece has to hold a whole byte-order
    /// mark, if there is one (`input::Decoder` sees to it).
    pub fn feed<S: LineSink>(&mut self, text: &[u8], sink: &mut S) -> Result<(), S::Error> {
        let mut rest = text;
        if !std::mem::replace(&mut self.has_begun, true)
            && let Some(behind) = text.strip_prefix(MARK)
        {
            rest = behind;
            self.offset = MARK.len() as u64;
        }
        if self.long.is_some() || !self.held.is_empty() {
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            self.hold(&rest[..end]);
            if !rest[..end].ends_with(b"\n") {
                return Ok(());
            }
            self.end_line(sink)?;
            rest = &rest[end..];
        }
        if let Some(last) = memchr::memrchr(b'\n', rest) {
            let (lines, open) = rest.split_at(last + 1);
            self.hand_on(lines, sink)?;
            rest = open;
        }
        self.hold(rest);
        Ok(())
    }

    /// Ends the input: hands on the open line.
    pub fn finish<S: LineSink>(&mut self, sink: &mut S) -> Result<(), S::Error> {
        if self.long.is_some() || !self.held.is_empty() { self.end_line(sink) } else { Ok(()) }
    }

    fn hold(&mut self, bytes: &[u8]) {
        let last_of = |before: [u8; 2]| match bytes {
            [] => before,
            [only] => [before[1], *only],
            [.., first, second] => [*first, *second],
        };
        let head_of = |head: &mut Vec<u8>| {
            let room = KEPT_BYTES - head.len();
            head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        };
        if let Some(long) = &mut self.long {
            head_of(&mut long.head);
            long.size_bytes += bytes.len() as u64;
            long.last = last_of(long.last);
        } else if self.held.len() + bytes.len() <= self.max_line_bytes.saturating_add(2) {
            self.held.extend_from_slice(bytes);
        } else {
            // Over the bound, whether or not the last two bytes are a line end.
            let mut head = std::mem::take(&mut self.held);
            let size_bytes = (head.len() + bytes.len()) as u64;
            let before = head.last_chunk::<2>().copied();
            let last = last_of(before.unwrap_or([0, head.last().copied().unwrap_or(0)]));
            head.truncate(KEPT_BYTES);
            head_of(&mut head);
            head.shrink_to(KEPT_BYTES);
            self.long = Some(LongHead { head, size_bytes, last });
        }
    }

    /// Hands on the line that was held, whole by now.
    fn end_line<S: LineSink>(&mut self, sink: &mut S) -> Result<(), S::Error> {
        let Some(LongHead { mut head, size_bytes, last }) = self.long.take() else {
            let held = std::mem::take(&mut self.held);
            self.hand_on(&held, sink)?;
            self.held = held;
            self.held.clear();
            return Ok(());
        };
        let end_bytes = match last {
            [b'\r', b'\n'] => 2,
            [_, b'\n' | b'\r'] => 1,
            _ => 0,
        };
        let long_bytes = size_bytes - end_bytes;
        head.truncate(usize::try_from(long_bytes).unwrap_or(usize::MAX));
        let (offset, first_line, first_row) = (self.offset, self.line, self.row);
        self.offset += size_bytes;
        self.line += 1;
        self.row += 1;
        let long_bytes = Some(long_bytes);
        sink.take(Lines { text: &head, offset, first_line, first_row, long_bytes })
    }

    fn hand_on<S: LineSink>(&mut self, text: &[u8], sink: &mut S) -> Result<(), S::Error> {
        let (offset, first_line, first_row) = (self.offset, self.line, self.row);
        for span in spans(text) {
            self.line += 1;
            self.row += u64::from(has_payload(content_of(&text[span]), self.max_line_bytes));
        }
        self.offset += text.len() as u64;
        sink.take(Lines { text, offset, first_line, first_row, long_bytes: None })
    }
}

/// Where each line stands, with its line end.
pub(super) fn spans(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    let rest = (!text.is_empty() && !text.ends_with(b"\n")).then_some(text.len() - 1);
    memchr::memchr_iter(b'\n', text).chain(rest).map(move |last| {
        let span = start..last + 1;
        start = last + 1;
        span
    })
}

/// A line without its line end. A CR at the end of the input is taken for one: to JSON it is a blank.
pub(super) fn content_of(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Whether a line counts: it has more than blanks, or is over the bound.
#[inline]
pub(super) fn has_payload(content: &[u8], max_line_bytes: usize) -> bool {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r');
    content.first().is_some_and(|byte| !is_blank(byte))
        || content.len() > max_line_bytes
        || !content.iter().all(is_blank)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::convert::Infallible;

    /// Number of the line, of the payload, place, length, and as much of the line as was kept.
    type Seen = (u64, Option<u64>, u64, u64, Vec<u8>);

    #[derive(Default)]
    struct Seeing(Vec<Seen>, usize);

    impl LineSink for Seeing {
        type Error = Infallible;

        fn take(&mut self, lines: Lines<'_>) -> Result<(), Infallible> {
            let Lines { text, mut offset, mut first_line, mut first_row, long_bytes } = lines;
            for span in spans(text) {
                let size_bytes = span.len() as u64;
                let content = if long_bytes.is_some() { text } else { content_of(&text[span]) };
                let counts = long_bytes.is_some() || has_payload(content, self.1);
                let length = long_bytes.unwrap_or(content.len() as u64);
                let kept = content[..content.len().min(KEPT_BYTES)].to_vec();
                self.0.push((first_line, counts.then_some(first_row), offset, length, kept));
                offset += size_bytes;
                first_line += 1;
                first_row += u64::from(counts);
            }
            Ok(())
        }
    }

    /// The lines by their definition, all of the text at once.
    fn by_definition(text: &[u8], max_line_bytes: usize) -> Vec<Seen> {
        let (mut seen, mut offset, mut row) = (Vec::new(), 0, 0);
        let text = text.strip_prefix(MARK).inspect(|_| offset = 3).unwrap_or(text);
        for (number, line) in (1..).zip(text.split_inclusive(|&byte| byte == b'\n')) {
            let content = content_of(line);
            let counts = content.len() > max_line_bytes
                || content.iter().any(|byte| !b" \t\r".contains(byte));
            row += u64::from(counts);
            let kept = content[..content.len().min(KEPT_BYTES)].to_vec();
            seen.push((number, counts.then_some(row), offset, content.len() as u64, kept));
            offset += line.len() as u64;
        }
        seen
    }

    proptest! {
        #[test]
        fn lines_are_the_same_wherever_the_text_is_cut(
            mark in any::<bool>(),
            lines in prop::collection::vec("[ab \t\r]{0,9}", 0..12),
            last in any::<bool>(),
            cuts in prop::collection::vec(3_usize..20, 1..20),
            max_line_bytes in 1_usize..8,
        ) {
            let mut text = if mark { MARK.to_vec() } else { Vec::new() };
            text.extend_from_slice(lines.join("\n").as_bytes());
            if last {
                text.push(b'\n');
            }
            let mut framer = LineFramer::new(max_line_bytes);
            let mut seeing = Seeing(Vec::new(), max_line_bytes);
            let (mut rest, mut cuts) = (&text[..], cuts.iter().cycle());
            while let Some(&cut) = cuts.next().filter(|_| !rest.is_empty()) {
                let (now, later) = rest.split_at(cut.min(rest.len()));
                let Ok(()) = framer.feed(now, &mut seeing);
                rest = later;
            }
            let Ok(()) = framer.finish(&mut seeing);
            prop_assert_eq!(seeing.0, by_definition(&text, max_line_bytes));
        }
    }

    #[test]
    fn a_line_that_never_ends_is_held_to_its_bound_alone() {
        let mut framer = LineFramer::new(1000);
        let mut seeing = Seeing(Vec::new(), 1000);
        for _ in 0..3000 {
            let Ok(()) = framer.feed(&[b'x'; 1000], &mut seeing);
            assert!(framer.held.capacity() <= 4096);
            assert!(framer.long.as_ref().is_none_or(|long| long.head.len() <= KEPT_BYTES));
        }
        let Ok(()) = framer.feed(b"\n{}\n", &mut seeing);
        let facts: Vec<_> = seeing.0.iter().map(|it| (it.0, it.2, it.3)).collect();
        assert_eq!(facts, [(1, 0, 3_000_000), (2, 3_000_001, 2)]);
    }
}
