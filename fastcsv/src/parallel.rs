//! Judges blocks on several threads, in order, with the same output as on one.
//!
//! Each thread takes a block, waits for its turn, finds where the block's records begin and end, and gives
//! the turn to the thread that has the next block; then it judges what it framed. So one thread at a time
//! decides where records are, splitting is exact whatever the quotes, no row or line needs mending
//! afterwards, and a block is read, framed and judged on the core that has it in its cache. (A framing thread
//! that hands copies to others was tried: 0.87 of two runs side by side, for what one core reads another has
//! to fetch again, and whoever waits for work sleeps.)
//!
//! What is judged is written in the order in which it was framed, by whoever comes with the piece that is
//! next. A thread that is too far ahead of that waits: what it holds is memory.

use crate::check::{Checker, Outcome};
use crate::frame::{Borrowed, Frame, Record, Sink};
use crate::input::{Room, Taken};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Blocks that may be judged before the one that is to be written next, for each thread.
const AHEAD: u64 = 3;

/// What one thread works with, kept from block to block.
#[derive(Debug)]
pub struct Hand {
    pub checker: Checker,
    /// Room for a block to be read into.
    room: Room,
    framed: Framed,
    outcome: Outcome,
}

/// The frames of a block, to be judged when others frame.
///
/// What a long frame borrows is kept, and the framer goes on in memory of the thread whose turn it is: so nothing is
/// copied, and nothing has to come from another core's cache. What a short one borrows is copied: there may be
/// thousands of them in a block of broken records, and memory for a long one is large.
#[derive(Debug, Default)]
pub struct Framed {
    /// The addresses of the block.
    block: Range<usize>,
    /// Text that does not stand in the block: records that began before it, or that were decoded.
    text: Vec<u8>,
    pieces: Vec<Piece>,
    /// Memory for what long frames borrow.
    spare: Vec<Borrowed>,
}

/// Bytes from which a frame is long. A whole window is twice that. What a fuzzer tries is short.
const LONG_BYTES: usize = if cfg!(fuzzing) { 50 } else { 64 << 10 };

/// One frame.
#[derive(Debug)]
struct Piece {
    in_block: bool,
    text: Range<usize>,
    is_long: bool,
    borrowed: Borrowed,
    seen_nul: bool,
    offset: u64,
    first_row: u64,
}

impl Hand {
    #[must_use]
    pub fn new(checker: Checker) -> Self {
        Self {
            checker,
            room: Room::default(),
            framed: Framed::default(),
            outcome: Outcome::default(),
        }
    }
}

impl Framed {
    /// Has `feed` frame the block.
    pub fn frame<E>(
        &mut self,
        block: &[u8],
        feed: impl FnOnce(&[u8], &mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        let addresses = block.as_ptr_range();
        self.block = addresses.start.addr()..addresses.end.addr();
        feed(block, self)
    }

    /// Judges what was framed, and forgets it: not when it is to frame again, for then it is this thread's turn.
    fn judge(&mut self, block: &[u8], checker: &mut Checker, outcome: &mut Outcome) {
        for piece in &mut self.pieces {
            if !piece.in_block {
                piece.rebase();
            }
            let text = if piece.in_block { block } else { &self.text };
            checker.check(&piece.frame(text), outcome);
        }
        self.text.clear();
        let long = self.pieces.drain(..).filter(|piece| piece.is_long);
        self.spare.extend(long.map(|piece| piece.borrowed));
    }

    /// Notes a frame, and says where; what it borrows is `borrowed`, now or soon.
    fn note(&mut self, frame: &Frame<'_>, is_long: bool, borrowed: Borrowed) -> &mut Piece {
        let &Frame { text, seen_nul, offset, first_row, .. } = frame;
        let start = text.as_ptr().addr();
        let in_block = self.block.start <= start && start + text.len() <= self.block.end;
        let text = if in_block {
            let start = start - self.block.start;
            start..start + text.len()
        } else {
            let start = self.text.len();
            self.text.extend_from_slice(&text[span_of(frame)]);
            start..self.text.len()
        };
        let piece = Piece { in_block, text, is_long, borrowed, seen_nul, offset, first_row };
        let place = self.pieces.len();
        self.pieces.push(piece);
        &mut self.pieces[place]
    }
}

/// Where the records of a frame stand in its text.
fn span_of(frame: &Frame<'_>) -> Range<usize> {
    let start = frame.records.first().map_or(0, |first| first.start as usize);
    start..frame.records.last().map_or(start, |last| last.next as usize)
}

impl Sink for Framed {
    type Error = Infallible;

    fn take(&mut self, frame: Frame<'_>) -> Result<(), Infallible> {
        self.note(&frame, false, Borrowed::copied(&frame));
        Ok(())
    }

    fn keep(&mut self, frame: Frame<'_>) -> Option<&mut Borrowed> {
        if span_of(&frame).len() < LONG_BYTES {
            return None;
        }
        let memory = self.spare.pop().unwrap_or_default();
        Some(&mut self.note(&frame, true, memory).borrowed)
    }
}

impl Piece {
    /// Makes all positions count from the first record, where the text begins that was copied.
    fn rebase(&mut self) {
        let Borrowed { marks, escapes, records } = &mut self.borrowed;
        let Some(&Record { start, first_mark, first_escape, .. }) = records.first() else { return };
        marks.rebase(first_mark as usize, start);
        escapes.rebase(first_escape as usize, start);
        for record in records {
            record.start -= start;
            record.end -= start;
            record.next -= start;
        }
        self.offset += u64::from(start);
    }

    /// The frame again, in the text that it stands in.
    fn frame<'a>(&'a self, text: &'a [u8]) -> Frame<'a> {
        let Self { borrowed: Borrowed { marks, escapes, records }, .. } = self;
        Frame {
            text: &text[self.text.clone()],
            marks: marks.as_slice(),
            escapes: escapes.as_slice(),
            records,
            seen_nul: self.seen_nul,
            offset: self.offset,
            first_row: self.first_row,
        }
    }
}

/// Judges block after block, a thread for each hand, the caller's among them.
///
/// `take` gets a block and says which: all numbers from 0 up to the last, each once; `None` where there is no
/// more. `frame` is called for the blocks in their order, and so is `write` for what came of them. The first error of
/// any of them ends the work and is returned. The caller's thread calls `pause` after each block that it has judged,
/// and after each that it has written.
pub fn judge<'t, E: Send>(
    hands: &mut [Hand],
    take: impl Fn(&mut Room) -> Result<Option<Taken<'t>>, E> + Sync,
    frame: impl FnMut(&[u8], &mut Framed) -> Result<(), E> + Send,
    write: impl FnMut(&Outcome) -> Result<(), E> + Send,
    pause: &mut dyn FnMut(),
) -> Result<(), E> {
    let ahead = hands.len() as u64 * AHEAD;
    let work = Work {
        take,
        front: Mutex::new(Front { frame, next: 0, waiting: 0, ended: None }),
        turned: Condvar::new(),
        back: Mutex::new(Back {
            write: Some(write),
            next: 0,
            waiting: 0,
            judged: BTreeMap::new(),
            emptied: Vec::new(),
        }),
        written: Condvar::new(),
        ahead,
    };
    thread::scope(|scope| {
        let work = &work;
        if let Some((mine, others)) = hands.split_first_mut() {
            for (number, hand) in (1..).zip(others) {
                // Where the system grants no more threads, those that are there do all of it.
                let run = move || work.run(number, hand, &mut || ());
                if thread::Builder::new().spawn_scoped(scope, run).is_err() {
                    break;
                }
            }
            work.run(0, mine, pause);
        }
    });
    let front = work.front.into_inner().unwrap_or_else(PoisonError::into_inner);
    front.ended.unwrap_or(Ok(()))
}

struct Work<E, T, F, W> {
    take: T,
    front: Mutex<Front<E, F>>,
    /// A block was framed, or none will be any more.
    turned: Condvar,
    back: Mutex<Back<W>>,
    /// Something was written, or nothing will be any more.
    written: Condvar,
    ahead: u64,
}

struct Front<E, F> {
    frame: F,
    /// The number of the block to be framed next.
    next: u64,
    /// Threads that wait for their turn; telling nobody costs a system call too.
    waiting: usize,
    /// Why no more blocks are framed, where that is not for want of them.
    ended: Option<Result<(), E>>,
}

struct Back<W> {
    /// Nothing while somebody writes, and once nothing is to be written any more.
    write: Option<W>,
    /// The number of the block to be written next; the last of all numbers once that is over.
    next: u64,
    /// Threads that are too far ahead.
    waiting: usize,
    /// What came of blocks whose turn it is not yet, and which hand's memory that is.
    judged: BTreeMap<u64, (usize, Outcome)>,
    /// Empty outcomes of hands that have not come for them: another core would have to fetch their memory first.
    emptied: Vec<(usize, Outcome)>,
}

impl<W> Back<W> {
    /// An outcome to go on with: of the hand's own memory if there is any, else of another's, for it adds up.
    fn empty_of(&mut self, hand: usize) -> Outcome {
        let own = self.emptied.iter().position(|(of, _)| *of == hand);
        let any = own.or(self.emptied.len().checked_sub(1));
        any.map(|place| self.emptied.swap_remove(place).1).unwrap_or_default()
    }
}

impl<'t, E, T, F, W> Work<E, T, F, W>
where
    T: Fn(&mut Room) -> Result<Option<Taken<'t>>, E>,
    F: FnMut(&[u8], &mut Framed) -> Result<(), E>,
    W: FnMut(&Outcome) -> Result<(), E>,
{
    /// Takes, frames and judges block after block, as the hand of that number.
    fn run(&self, number: usize, hand: &mut Hand, pause: &mut dyn FnMut()) {
        let Hand { checker, room, framed, outcome } = hand;
        let _obituary = Obituary(|| self.end(Ok(())));
        loop {
            let taken = match (self.take)(room) {
                Ok(Some(taken)) => taken,
                Ok(None) => break,
                Err(error) => break self.end(Err(error)),
            };
            let block = taken.text.unwrap_or(room);
            if !self.frame(taken.number, block, framed) {
                break;
            }
            framed.judge(block, checker, outcome);
            if let Err(error) = self.settle(taken.number, number, outcome, pause) {
                break self.end(Err(error));
            }
            pause();
        }
    }

    /// Frames a block when it is its turn; says whether it came to that.
    fn frame(&self, number: u64, block: &[u8], framed: &mut Framed) -> bool {
        let mut front = lock(&self.front);
        while front.next != number && front.ended.is_none() {
            front.waiting += 1;
            front = self.turned.wait(front).unwrap_or_else(PoisonError::into_inner);
            front.waiting -= 1;
        }
        if front.ended.is_some() {
            return false;
        }
        let done = (front.frame)(block, framed);
        front.next += 1;
        front.ended = done.err().map(Err);
        let (goes_on, anyone) = (front.ended.is_none(), front.waiting > 0);
        drop(front);
        if anyone {
            self.turned.notify_all();
        }
        goes_on
    }

    /// Writes what came of a block, or leaves it to whoever writes what is next; leaves an empty outcome. Whoever writes
    /// may have to do so for long, so that it pauses after each piece.
    fn settle(
        &self,
        block: u64,
        hand: usize,
        outcome: &mut Outcome,
        pause: &mut dyn FnMut(),
    ) -> Result<(), E> {
        let mut back = lock(&self.back);
        while block > back.next && block - back.next >= self.ahead {
            back.waiting += 1;
            back = self.written.wait(back).unwrap_or_else(PoisonError::into_inner);
            back.waiting -= 1;
        }
        // Nobody waits for the disk but the one that writes.
        let write = if block == back.next { back.write.take() } else { None };
        let Some(mut write) = write else {
            let empty = back.empty_of(hand);
            back.judged.insert(block, (hand, std::mem::replace(outcome, empty)));
            return Ok(());
        };
        drop(back);
        write(outcome)?;
        outcome.clear();
        let mut emptied = None;
        loop {
            pause();
            back = lock(&self.back);
            back.emptied.extend(emptied.take());
            back.next = back.next.saturating_add(1);
            if back.waiting > 0 {
                self.written.notify_all();
            }
            let next = back.next;
            let Some((of, mut judged)) = back.judged.remove(&next) else { break };
            drop(back);
            write(&judged)?;
            judged.clear();
            emptied = Some((of, judged));
        }
        back.write = Some(write);
        Ok(())
    }

    /// Ends the work before its end. What was framed is not written any more.
    fn end(&self, why: Result<(), E>) {
        lock(&self.back).next = u64::MAX;
        self.written.notify_all();
        let mut front = lock(&self.front);
        if !matches!(front.ended, Some(Err(_))) {
            front.ended = Some(why);
        }
        self.turned.notify_all();
    }
}

/// Locks what stays as good as it was if a thread panics that held it.
pub(crate) fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the work if a thread panics: others would wait for what it was to write. The panic goes on.
struct Obituary<F: Fn()>(F);

impl<F: Fn()> Drop for Obituary<F> {
    fn drop(&mut self) {
        if thread::panicking() {
            (self.0)();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Rules;
    use crate::output::records::{Batch, RecordWriter};
    use crate::schema::{RowSchema, SchemaLimits};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    fn hand() -> Hand {
        let document = br#"{"properties": {"a": {}}}"#;
        let schema = RowSchema::compile("a", "1", document, &SchemaLimits::default()).unwrap();
        let header = ["a".to_owned()];
        let schema = schema.bind(&header, false).unwrap();
        let batch = Batch {
            header: &header,
            csv_type: "a",
            schema_version: "1",
            source_file: "",
            quarantined_at: "",
            max_errors_per_record: 1,
        };
        Hand::new(Checker::new(Arc::new(Rules {
            writer: RecordWriter::new(&batch, &schema),
            schema,
            columns: 1,
            delimiter: b',',
            accept_recovered: false,
            valid_out: false,
            max_fields: 1,
            max_field_bytes: 1,
            max_record_bytes: 1,
            max_record_lines: 1,
        })))
    }

    /// Writing is what takes the time here, so that whoever has begun to write finds more to be written every time.
    #[test]
    fn a_caller_that_has_to_write_for_all_still_pauses() {
        for threads in [2, 3, 8] {
            let mut hands: Vec<Hand> = (0..threads).map(|_| hand()).collect();
            let (next, caller) = (AtomicU64::new(0), thread::current().id());
            let take = |_: &mut Room| {
                let number = next.fetch_add(1, Ordering::Relaxed);
                Ok::<_, Infallible>((number < 100).then_some(Taken { number, text: Some(b"") }))
            };
            let frame = |block: &[u8], framed: &mut Framed| framed.frame(block, |_, _| Ok(()));
            let (written, since_pause) = (AtomicU64::new(0), AtomicU64::new(0));
            let write = |_: &Outcome| {
                thread::sleep(Duration::from_micros(200));
                written.fetch_add(1, Ordering::Relaxed);
                if thread::current().id() == caller {
                    assert_eq!(since_pause.fetch_add(1, Ordering::Relaxed), 0);
                }
                Ok(())
            };
            let mut pause = || since_pause.store(0, Ordering::Relaxed);
            let Ok(()) = judge(&mut hands, take, frame, write, &mut pause);
            assert_eq!(written.into_inner(), 100);
        }
    }
}
