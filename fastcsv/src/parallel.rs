//! Judges blocks on several threads, in order, with the same output as on one.
//!
//! Each thread takes a block, waits for its turn, finds where the block's records begin and end, and gives
//! the turn to the thread that has the next block; then it judges what it framed. So one thread at a time
//! decides where records are, splitting is exact whatever the quotes, no row, line or offset needs mending
//! afterwards, and a block is read, framed and judged on the core that has it in its cache. (A framing thread
//! that hands copies to others was tried: 0.87 of two runs side by side, for what one core reads another has
//! to fetch again, and whoever waits for work sleeps.) Compressed text is judged by one thread: see `may_share`.
//!
//! What is judged is written in the order in which it was framed, by whoever comes with the piece that is
//! next. A thread that is too far ahead of that waits: what it holds is memory.

use crate::check::{Checker, Outcome};
use crate::frame::{Frame, Record, Sink};
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
    room: Vec<u8>,
    framed: Framed,
    outcome: Outcome,
}

/// A block, by its number from 0.
#[derive(Debug, Clone, Copy)]
pub struct Taken<'t> {
    pub number: u64,
    /// Its text, where that is not in the room it was offered.
    pub text: Option<&'t [u8]>,
}

/// The frames of a block, with what they borrow from elsewhere copied.
#[derive(Debug, Default)]
pub struct Framed {
    /// The addresses of the block.
    block: Range<usize>,
    /// Text that does not stand in the block: records that began before it, or that were decoded.
    text: Vec<u8>,
    marks: Vec<u32>,
    escapes: Vec<u32>,
    records: Vec<Record>,
    pieces: Vec<Piece>,
}

/// One frame.
#[derive(Debug)]
struct Piece {
    in_block: bool,
    text: Range<usize>,
    marks: Range<usize>,
    escapes: Range<usize>,
    records: Range<usize>,
    seen_nul: bool,
    offset: u64,
    first_row: u64,
}

impl Hand {
    #[must_use]
    pub fn new(checker: Checker) -> Self {
        Self { checker, room: Vec::new(), framed: Framed::default(), outcome: Outcome::default() }
    }
}

impl Framed {
    /// Has `feed` frame the block.
    pub fn frame<E>(
        &mut self,
        block: &[u8],
        feed: impl FnOnce(&[u8], &mut dyn FnMut(Frame<'_>)) -> Result<(), E>,
    ) -> Result<(), E> {
        self.clear();
        let addresses = block.as_ptr_range();
        self.block = addresses.start.addr()..addresses.end.addr();
        feed(block, &mut |frame| self.note(&frame))
    }

    fn judge(&self, block: &[u8], checker: &mut Checker, outcome: &mut Outcome) {
        for piece in &self.pieces {
            let text = if piece.in_block { block } else { &self.text };
            let frame = Frame {
                text: &text[piece.text.clone()],
                marks: &self.marks[piece.marks.clone()],
                escapes: &self.escapes[piece.escapes.clone()],
                records: &self.records[piece.records.clone()],
                seen_nul: piece.seen_nul,
                offset: piece.offset,
                first_row: piece.first_row,
            };
            checker.check(&frame, outcome);
        }
    }

    fn clear(&mut self) {
        self.text.clear();
        self.marks.clear();
        self.escapes.clear();
        self.records.clear();
        self.pieces.clear();
    }

    fn note(&mut self, frame: &Frame<'_>) {
        let (Some(first), Some(last)) = (frame.records.first(), frame.records.last()) else {
            return;
        };
        let base = first.start;
        let span = base as usize..last.next as usize;
        let start = frame.text.as_ptr().addr();
        let in_block = self.block.start <= start && start + frame.text.len() <= self.block.end;
        let text = if in_block {
            let start = start - self.block.start;
            start + span.start..start + span.end
        } else {
            append(&mut self.text, frame.text[span].iter().copied())
        };
        let marks = frame.records.iter().map(|it| it.first_mark + it.cells).max().unwrap_or(0);
        let escapes =
            frame.records.iter().map(|it| it.first_escape + it.escapes).max().unwrap_or(0);
        let moved = |record: &Record| Record {
            start: record.start - base,
            end: record.end - base,
            next: record.next - base,
            ..*record
        };
        self.pieces.push(Piece {
            in_block,
            text,
            marks: append(&mut self.marks, rebased(frame.marks, marks, base)),
            escapes: append(&mut self.escapes, rebased(frame.escapes, escapes, base)),
            records: append(&mut self.records, frame.records.iter().map(moved)),
            seen_nul: frame.seen_nul,
            offset: frame.offset + u64::from(base),
            first_row: frame.first_row,
        });
    }
}

/// The first `count` positions, from `base` on.
fn rebased(positions: &[u32], count: u32, base: u32) -> impl Iterator<Item = u32> {
    positions[..count as usize].iter().map(move |position| position.wrapping_sub(base))
}

/// Appends the items, and says where they stand.
fn append<T>(all: &mut Vec<T>, items: impl Iterator<Item = T>) -> Range<usize> {
    let start = all.len();
    all.extend(items);
    start..all.len()
}

/// What hands frames on to a function that cannot fail.
pub struct Each<'a>(pub &'a mut dyn FnMut(Frame<'_>));

impl Sink for Each<'_> {
    type Error = Infallible;

    fn take(&mut self, frame: Frame<'_>) -> Result<(), Infallible> {
        (self.0)(frame);
        Ok(())
    }
}

/// Judges block after block, a thread for each hand, the caller's among them.
///
/// `take` gets a block and says which: all numbers from 0 up to the last, each once; `None` where there is no
/// more. `frame` is called for the blocks in their order, and so is `write` for what came of them. The first error of
/// any of them ends the work and is returned.
pub fn judge<'t, E: Send>(
    hands: &mut [Hand],
    take: impl Fn(&mut Vec<u8>) -> Result<Option<Taken<'t>>, E> + Sync,
    frame: impl FnMut(&[u8], &mut Framed) -> Result<(), E> + Send,
    write: impl FnMut(&Outcome) -> Result<(), E> + Send,
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
            spare: Vec::new(),
        }),
        written: Condvar::new(),
        ahead,
    };
    thread::scope(|scope| {
        if let Some((mine, others)) = hands.split_first_mut() {
            for hand in others {
                // Where the system grants no more threads, those that are there do all of it.
                if thread::Builder::new().spawn_scoped(scope, || work.run(hand)).is_err() {
                    break;
                }
            }
            work.run(mine);
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
    judged: BTreeMap<u64, Outcome>,
    spare: Vec<Outcome>,
}

impl<W> Back<W> {
    /// What came of the block that is next, if that has been judged.
    fn take_next(&mut self) -> Option<Outcome> {
        let outcome = self.judged.remove(&self.next)?;
        self.next += 1;
        Some(outcome)
    }
}

impl<'t, E, T, F, W> Work<E, T, F, W>
where
    T: Fn(&mut Vec<u8>) -> Result<Option<Taken<'t>>, E>,
    F: FnMut(&[u8], &mut Framed) -> Result<(), E>,
    W: FnMut(&Outcome) -> Result<(), E>,
{
    fn run(&self, Hand { checker, room, framed, outcome }: &mut Hand) {
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
            if let Err(error) = self.settle(taken.number, outcome) {
                break self.end(Err(error));
            }
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

    /// Writes what came of a block, or leaves it to whoever writes what is next; leaves an empty outcome.
    fn settle(&self, number: u64, outcome: &mut Outcome) -> Result<(), E> {
        let mut back = lock(&self.back);
        while number > back.next && number - back.next >= self.ahead {
            back.waiting += 1;
            back = self.written.wait(back).unwrap_or_else(PoisonError::into_inner);
            back.waiting -= 1;
        }
        let empty = back.spare.pop().unwrap_or_default();
        back.judged.insert(number, std::mem::replace(outcome, empty));
        // Nobody waits for the disk but the one that writes.
        let Some(mut write) = back.write.take() else { return Ok(()) };
        while let Some(mut next) = back.take_next() {
            drop(back);
            write(&next)?;
            next.clear();
            back = lock(&self.back);
            back.spare.push(next);
            if back.waiting > 0 {
                self.written.notify_all();
            }
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
