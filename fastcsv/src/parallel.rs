//! Judges blocks on several threads, in order, with the same output as on one.
//!
//! Each thread takes a block, waits for its turn, finds where the block's records begin and end, and gives
//! the turn to the thread that has the next block; then it judges what it framed. So one thread at a time
//! decides where records are, splitting is exact whatever the quotes, no row or line needs mending
//! afterwards, and a block is read, framed and judged on the core that has it in its cache. (A framing thread
//! that hands copies to others was tried: 0.87 of two runs side by side, for what one core reads another has
//! to fetch again, and a thread that waits for work sleeps.)
//!
//! Outcomes are written in the order in which their blocks were framed, by the thread that has the block that is
//! next. A thread that is too far ahead, or that has much to write, waits: so memory is bounded.

mod block_text;
mod framed;
mod work;

use crate::check::Outcome;
use crate::error::Error;
use crate::input::{BlockBuffer, TakenBlock};
use crate::locking::lock;
pub use block_text::{BlockText, FLUSH_BYTES, TextPlace};
pub use framed::{CsvWork, FramedBlock};
use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
pub use work::BlockWork;

/// Blocks that may be judged before the one that is to be written next, for each thread, and bytes of text that may be
/// kept of them by all.
const AHEAD: u64 = 3;
const KEPT_BYTES: usize = 4 << 20;

/// The state of one worker thread. Its memory is kept from block to block.
#[derive(Debug)]
pub struct WorkerState<W> {
    pub work: W,
    /// The buffer that a block is read into.
    buffer: BlockBuffer,
    outcome: Outcome,
}

impl<W> WorkerState<W> {
    #[must_use]
    pub fn new(work: W) -> Self {
        Self { work, buffer: BlockBuffer::default(), outcome: Outcome::default() }
    }
}

/// Judges block after block on one thread for each worker; the caller's thread is one of them.
///
/// `take` gets a block and says which: all numbers from 0 up to the last, each once; `None` where there is no more. A
/// fault in the place of a block is an error when all before it has been written. `frame` is called for the blocks in
/// their order, and so is `write` for what came of them. The first error of any of them ends the work and is
/// returned. The caller's thread calls `pause` after each block that it has judged, and after each that it has
/// written.
pub fn judge<'t, B: BlockWork>(
    workers: &mut [WorkerState<B>],
    take: impl Fn(&mut BlockBuffer) -> Result<Option<TakenBlock<'t>>, Error> + Sync,
    frame: impl FnMut(&[u8], &mut B) -> Result<(), Error> + Send,
    write: impl FnMut(&Outcome) -> Result<(), Error> + Send,
    pause: &mut dyn FnMut(),
) -> Result<(), Error> {
    let work = Pipeline {
        take,
        frame_turn: Mutex::new(FrameTurn { frame, next: 0, waiting: 0, ended: None }),
        turned: Condvar::new(),
        write_queue: Mutex::new(WriteQueue {
            write: Some(write),
            next: 0,
            waiting: 0,
            judged: BTreeMap::new(),
            kept_bytes: 0,
            emptied: Vec::new(),
        }),
        written: Condvar::new(),
        workers: workers.len(),
    };
    thread::scope(|scope| {
        let work = &work;
        if let Some((mine, others)) = workers.split_first_mut() {
            for (number, worker) in (1..).zip(others) {
                // Where the system grants no more threads, those that are there do all of it.
                let run = move || work.run(number, worker, &mut || ());
                if thread::Builder::new().spawn_scoped(scope, run).is_err() {
                    break;
                }
            }
            work.run(0, mine, pause);
        }
    });
    let frame_turn = work.frame_turn.into_inner().unwrap_or_else(PoisonError::into_inner);
    frame_turn.ended.unwrap_or(Ok(()))
}

struct Pipeline<T, F, W> {
    take: T,
    frame_turn: Mutex<FrameTurn<F>>,
    /// A block was framed, or none will be any more.
    turned: Condvar,
    write_queue: Mutex<WriteQueue<W>>,
    /// Something was written, or nothing will be any more.
    written: Condvar,
    /// How many threads there are, at most.
    workers: usize,
}

struct FrameTurn<F> {
    frame: F,
    /// The number of the block to be framed next.
    next: u64,
    /// Threads that wait for their turn. To notify nobody costs a system call too.
    waiting: usize,
    /// Why no more blocks are framed; nothing while there are blocks.
    ended: Option<Result<(), Error>>,
}

struct WriteQueue<W> {
    /// Nothing while a thread writes, and after the end.
    write: Option<W>,
    /// The number of the block to be written next; `u64::MAX` after the end.
    next: u64,
    /// Threads that wait for what comes before to be written.
    waiting: usize,
    /// The outcomes of blocks that wait for their turn, and the worker that each memory belongs to.
    judged: BTreeMap<u64, (usize, Outcome)>,
    /// How much text that is.
    kept_bytes: usize,
    /// Empty outcomes that their workers have not taken back. Another worker would have to fetch the memory from
    /// their core first.
    emptied: Vec<(usize, Outcome)>,
}

impl<W> WriteQueue<W> {
    /// An empty outcome to go on with: the worker's own if there is one, else another's, so that memory does not grow.
    fn empty_of(&mut self, worker: usize) -> Outcome {
        let own = self.emptied.iter().position(|(of, _)| *of == worker);
        let any = own.or(self.emptied.len().checked_sub(1));
        any.map(|place| self.emptied.swap_remove(place).1).unwrap_or_default()
    }
}

/// Why a thread stops: the error, or nothing where another thread has reported one.
type Stop = Option<Error>;

impl<'t, T, F, W> Pipeline<T, F, W>
where
    T: Fn(&mut BlockBuffer) -> Result<Option<TakenBlock<'t>>, Error>,
    W: FnMut(&Outcome) -> Result<(), Error>,
{
    /// Takes, frames and judges block after block as the worker of that number.
    fn run<B: BlockWork>(&self, number: usize, worker: &mut WorkerState<B>, pause: &mut dyn FnMut())
    where
        F: FnMut(&[u8], &mut B) -> Result<(), Error>,
    {
        let WorkerState { work, buffer, outcome } = worker;
        let _end_on_panic = EndOnPanic(|| self.end(Ok(())));
        loop {
            let taken = match (self.take)(buffer) {
                Ok(Some(taken)) => taken,
                Ok(None) => break,
                Err(error) => break self.end(Err(error)),
            };
            let TakenBlock { number: block, text, fault } = taken;
            if let Some(fault) = fault {
                let comes_first = self.turn(block).next == block;
                if comes_first {
                    self.end(Err(fault));
                }
                break;
            }
            let text = text.unwrap_or(buffer);
            if !self.frame(block, text, work) {
                break;
            }
            let flush = |judged: &mut Outcome| self.flush(block, judged);
            let judged = work.judge(text, outcome, flush);
            match judged.and_then(|()| self.settle(block, number, outcome, pause)) {
                Ok(()) => pause(),
                Err(None) => break,
                Err(Some(error)) => break self.end(Err(error)),
            }
        }
    }

    /// Waits until everything before the block has been written, or the work has ended.
    fn turn(&self, block: u64) -> MutexGuard<'_, WriteQueue<W>> {
        let mut write_queue = lock(&self.write_queue);
        while block > write_queue.next {
            write_queue.waiting += 1;
            write_queue = self.written.wait(write_queue).unwrap_or_else(PoisonError::into_inner);
            write_queue.waiting -= 1;
        }
        write_queue
    }

    /// Writes the part of a block that has been judged, when it is the block's turn.
    fn flush(&self, block: u64, judged: &mut Outcome) -> Result<(), Stop> {
        let mut write_queue = self.turn(block);
        let write = if write_queue.next == block { write_queue.write.take() } else { None };
        drop(write_queue);
        let mut write = write.ok_or(None)?;
        write(judged)?;
        judged.clear();
        lock(&self.write_queue).write = Some(write);
        Ok(())
    }

    /// Frames a block when it is its turn. False where the work ended first.
    fn frame<B>(&self, number: u64, block: &[u8], work: &mut B) -> bool
    where
        F: FnMut(&[u8], &mut B) -> Result<(), Error>,
    {
        let mut frame_turn = lock(&self.frame_turn);
        while frame_turn.next != number && frame_turn.ended.is_none() {
            frame_turn.waiting += 1;
            frame_turn = self.turned.wait(frame_turn).unwrap_or_else(PoisonError::into_inner);
            frame_turn.waiting -= 1;
        }
        if frame_turn.ended.is_some() {
            return false;
        }
        let done = (frame_turn.frame)(block, work);
        frame_turn.next += 1;
        let anyone = frame_turn.waiting > 0;
        drop(frame_turn);
        if let Err(error) = done {
            self.end(Err(error));
            return false;
        }
        if anyone {
            self.turned.notify_all();
        }
        true
    }

    /// Writes the outcome of a block, or leaves it to the thread that writes the block before; `outcome` is empty
    /// afterwards. A thread may have to write for long, so it pauses after each block.
    fn settle(
        &self,
        block: u64,
        worker: usize,
        outcome: &mut Outcome,
        pause: &mut dyn FnMut(),
    ) -> Result<(), Stop> {
        let mut write_queue = lock(&self.write_queue);
        let ahead = self.workers as u64 * AHEAD;
        while block > write_queue.next
            && (block - write_queue.next >= ahead || write_queue.kept_bytes > KEPT_BYTES)
        {
            write_queue.waiting += 1;
            write_queue = self.written.wait(write_queue).unwrap_or_else(PoisonError::into_inner);
            write_queue.waiting -= 1;
        }
        // Critical section: only the thread that writes waits for the disk, and it does so without the lock.
        let write = if block == write_queue.next { write_queue.write.take() } else { None };
        let Some(mut write) = write else {
            let empty = write_queue.empty_of(worker);
            write_queue.kept_bytes += outcome.text_bytes();
            write_queue.judged.insert(block, (worker, std::mem::replace(outcome, empty)));
            return Ok(());
        };
        drop(write_queue);
        write(outcome)?;
        outcome.clear();
        let mut emptied = None;
        loop {
            pause();
            write_queue = lock(&self.write_queue);
            if write_queue.emptied.len() < self.workers {
                write_queue.emptied.extend(emptied.take());
            }
            write_queue.next = write_queue.next.saturating_add(1);
            if write_queue.waiting > 0 {
                self.written.notify_all();
            }
            let next = write_queue.next;
            let Some((of, mut judged)) = write_queue.judged.remove(&next) else { break };
            write_queue.kept_bytes -= judged.text_bytes();
            drop(write_queue);
            write(&judged)?;
            judged.clear();
            emptied = Some((of, judged));
        }
        write_queue.write = Some(write);
        Ok(())
    }

    /// Ends the work before its end. What was framed is not written any more.
    fn end(&self, why: Result<(), Error>) {
        lock(&self.write_queue).next = u64::MAX;
        self.written.notify_all();
        let mut frame_turn = lock(&self.frame_turn);
        if !matches!(frame_turn.ended, Some(Err(_))) {
            frame_turn.ended = Some(why);
        }
        self.turned.notify_all();
    }
}

/// Ends the work if a thread panics: the others would wait for its block for ever. The panic goes on.
struct EndOnPanic<F: Fn()>(F);

impl<F: Fn()> Drop for EndOnPanic<F> {
    fn drop(&mut self) {
        if thread::panicking() {
            (self.0)();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Checker, RowRules};
    use crate::output::record_text::BatchContext;
    use crate::output::records::RecordWriter;
    use crate::schema::{RowSchema, SchemaLimits};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    fn worker() -> WorkerState<CsvWork> {
        let document = br#"{"properties": {"a": {}}}"#;
        let schema = RowSchema::compile("a", "1", document, &SchemaLimits::default()).unwrap();
        let header = ["a".to_owned()];
        let schema = schema.bind(&header, false).unwrap();
        let batch =
            BatchContext { schema: "a", schema_version: "1", source_file: "", quarantined_at: "" };
        WorkerState::new(CsvWork::new(Checker::new(Arc::new(RowRules {
            writer: RecordWriter::new(&batch, &header, 1, &schema),
            schema,
            columns: 1,
            delimiter: b',',
            accept_recovered: false,
            valid_out: false,
            max_fields: 1,
            max_field_bytes: 1,
            max_record_bytes: 1,
            max_record_lines: 1,
        }))))
    }

    /// Writing takes most of the time here, so that a thread that writes finds more to write every time.
    #[test]
    fn a_caller_that_has_to_write_for_all_still_pauses() {
        for threads in [2, 3, 8] {
            let mut workers: Vec<WorkerState<CsvWork>> = (0..threads).map(|_| worker()).collect();
            let (next, caller) = (AtomicU64::new(0), thread::current().id());
            let take = |_: &mut BlockBuffer| {
                let number = next.fetch_add(1, Ordering::Relaxed);
                Ok((number < 100).then_some(TakenBlock::new(number, Some(b""))))
            };
            let frame = |block: &[u8], work: &mut CsvWork| work.framed.frame(block, |_, _| Ok(()));
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
            judge(&mut workers, take, frame, write, &mut pause).unwrap();
            assert_eq!(written.into_inner(), 100);
        }
    }
}
