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
//! next. A thread that is too far ahead of that, or has much to write, waits: what it holds is memory.

mod framed;

use crate::check::{Checker, Outcome};
use crate::error::Error;
use crate::input::{Room, Taken};
pub use framed::Framed;
use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Blocks that may be judged before the one that is to be written next, for each thread, and bytes of text that may be
/// kept of them by all.
const AHEAD: u64 = 3;
const KEPT_BYTES: usize = 4 << 20;

/// What one thread works with, kept from block to block.
#[derive(Debug)]
pub struct Hand {
    pub checker: Checker,
    /// Room for a block to be read into.
    room: Room,
    framed: Framed,
    outcome: Outcome,
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

/// Judges block after block, a thread for each hand, the caller's among them.
///
/// `take` gets a block and says which: all numbers from 0 up to the last, each once; `None` where there is no more. A
/// fault in the place of a block is an error when all before it has been written. `frame` is called for the blocks in
/// their order, and so is `write` for what came of them. The first error of any of them ends the work and is
/// returned. The caller's thread calls `pause` after each block that it has judged, and after each that it has
/// written.
pub fn judge<'t>(
    hands: &mut [Hand],
    take: impl Fn(&mut Room) -> Result<Option<Taken<'t>>, Error> + Sync,
    frame: impl FnMut(&[u8], &mut Framed) -> Result<(), Error> + Send,
    write: impl FnMut(&Outcome) -> Result<(), Error> + Send,
    pause: &mut dyn FnMut(),
) -> Result<(), Error> {
    let work = Work {
        take,
        front: Mutex::new(Front { frame, next: 0, waiting: 0, ended: None }),
        turned: Condvar::new(),
        back: Mutex::new(Back {
            write: Some(write),
            next: 0,
            waiting: 0,
            judged: BTreeMap::new(),
            kept_bytes: 0,
            emptied: Vec::new(),
        }),
        written: Condvar::new(),
        hands: hands.len(),
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

struct Work<T, F, W> {
    take: T,
    front: Mutex<Front<F>>,
    /// A block was framed, or none will be any more.
    turned: Condvar,
    back: Mutex<Back<W>>,
    /// Something was written, or nothing will be any more.
    written: Condvar,
    /// How many threads there are, at most.
    hands: usize,
}

struct Front<F> {
    frame: F,
    /// The number of the block to be framed next.
    next: u64,
    /// Threads that wait for their turn; telling nobody costs a system call too.
    waiting: usize,
    /// Why no more blocks are framed, where that is not for want of them.
    ended: Option<Result<(), Error>>,
}

struct Back<W> {
    /// Nothing while somebody writes, and once nothing is to be written any more.
    write: Option<W>,
    /// The number of the block to be written next; the last of all numbers once that is over.
    next: u64,
    /// Threads that wait for what comes before to be written.
    waiting: usize,
    /// What came of blocks whose turn it is not yet, and which hand's memory that is.
    judged: BTreeMap<u64, (usize, Outcome)>,
    /// How much text that is.
    kept_bytes: usize,
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

/// Why a thread stops: what went wrong, unless another has said so.
type Stop = Option<Error>;

impl<'t, T, F, W> Work<T, F, W>
where
    T: Fn(&mut Room) -> Result<Option<Taken<'t>>, Error>,
    F: FnMut(&[u8], &mut Framed) -> Result<(), Error>,
    W: FnMut(&Outcome) -> Result<(), Error>,
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
            let Taken { number: block, text, fault } = taken;
            if let Some(fault) = fault {
                let comes_first = self.turn(block).next == block;
                if comes_first {
                    self.end(Err(fault));
                }
                break;
            }
            let text = text.unwrap_or(room);
            if !self.frame(block, text, framed) {
                break;
            }
            let flush = |judged: &mut Outcome| self.flush(block, judged);
            let judged = framed.judge(text, checker, outcome, flush);
            match judged.and_then(|()| self.settle(block, number, outcome, pause)) {
                Ok(()) => pause(),
                Err(None) => break,
                Err(Some(error)) => break self.end(Err(error)),
            }
        }
    }

    /// Waits until everything before the block has been written, or nothing is to be written any more.
    fn turn(&self, block: u64) -> MutexGuard<'_, Back<W>> {
        let mut back = lock(&self.back);
        while block > back.next {
            back.waiting += 1;
            back = self.written.wait(back).unwrap_or_else(PoisonError::into_inner);
            back.waiting -= 1;
        }
        back
    }

    /// Writes what there is so far of a block, when it is its turn.
    fn flush(&self, block: u64, judged: &mut Outcome) -> Result<(), Stop> {
        let mut back = self.turn(block);
        let write = if back.next == block { back.write.take() } else { None };
        drop(back);
        let mut write = write.ok_or(None)?;
        write(judged)?;
        judged.clear();
        lock(&self.back).write = Some(write);
        Ok(())
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
        let anyone = front.waiting > 0;
        drop(front);
        if let Err(error) = done {
            self.end(Err(error));
            return false;
        }
        if anyone {
            self.turned.notify_all();
        }
        true
    }

    /// Writes what came of a block, or leaves it to whoever writes what is next; leaves an empty outcome. Whoever
    /// writes may have to do so for long, so that it pauses after each piece.
    fn settle(
        &self,
        block: u64,
        hand: usize,
        outcome: &mut Outcome,
        pause: &mut dyn FnMut(),
    ) -> Result<(), Stop> {
        let mut back = lock(&self.back);
        let ahead = self.hands as u64 * AHEAD;
        while block > back.next && (block - back.next >= ahead || back.kept_bytes > KEPT_BYTES) {
            back.waiting += 1;
            back = self.written.wait(back).unwrap_or_else(PoisonError::into_inner);
            back.waiting -= 1;
        }
        // Nobody waits for the disk but the one that writes.
        let write = if block == back.next { back.write.take() } else { None };
        let Some(mut write) = write else {
            let empty = back.empty_of(hand);
            back.kept_bytes += outcome.text_bytes();
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
            if back.emptied.len() < self.hands {
                back.emptied.extend(emptied.take());
            }
            back.next = back.next.saturating_add(1);
            if back.waiting > 0 {
                self.written.notify_all();
            }
            let next = back.next;
            let Some((of, mut judged)) = back.judged.remove(&next) else { break };
            back.kept_bytes -= judged.text_bytes();
            drop(back);
            write(&judged)?;
            judged.clear();
            emptied = Some((of, judged));
        }
        back.write = Some(write);
        Ok(())
    }

    /// Ends the work before its end. What was framed is not written any more.
    fn end(&self, why: Result<(), Error>) {
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
                Ok((number < 100).then_some(Taken::new(number, Some(b""))))
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
            judge(&mut hands, take, frame, write, &mut pause).unwrap();
            assert_eq!(written.into_inner(), 100);
        }
    }
}
