//! Judges frames on several threads, in order, with the same output as on one.
//!
//! Only one thread ever decides where records begin and end: it frames the text, which costs an eighth of
//! the work, and hands copies of whole frames to the others. So splitting is exact whatever the
//! quotes, and no row, line or offset needs mending afterwards. When enough frames wait, the
//! framing thread judges one itself; what is done is written in the order in which it was framed.

use crate::check::{Checker, Outcome, Rules};
use crate::frame::{Frame, Record};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// Frames under way for each thread: enough that none waits, few enough to stay in the cache.
const FRAMES_PER_THREAD: usize = 3;

/// Several threads and the frames they work on.
#[derive(Debug)]
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    checker: Checker,
    capacity: u64,
    /// The next frame's number, and the next one to be written.
    submitted: u64,
    written: u64,
    /// Memory of frames that are done with.
    spare: Vec<Job>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Something waits to be judged, or the pool closes.
    waiting: Condvar,
    /// Something has been judged, or a worker died.
    judged: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Job>,
    judged: BTreeMap<u64, Job>,
    closing: bool,
    worker_died: bool,
}

/// A frame of its own, and what came of it.
#[derive(Debug, Default)]
struct Job {
    number: u64,
    text: Vec<u8>,
    marks: Vec<u32>,
    escapes: Vec<u32>,
    records: Vec<Record>,
    seen_nul: bool,
    offset: u64,
    first_row: u64,
    outcome: Outcome,
}

impl Pool {
    /// A pool of `threads`, the caller's among them.
    #[must_use]
    pub fn new(rules: &Arc<Rules>, threads: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let work = |_| {
            let (shared, checker) = (Arc::clone(&shared), Checker::new(Arc::clone(rules)));
            thread::spawn(move || shared.work(checker))
        };
        Self {
            workers: (1..threads).map(work).collect(),
            shared,
            checker: Checker::new(Arc::clone(rules)),
            capacity: (threads * FRAMES_PER_THREAD) as u64,
            submitted: 0,
            written: 0,
            spare: Vec::new(),
        }
    }

    /// Takes a frame, and hands to `write` what has been judged meanwhile and is next in order.
    pub fn take<E>(
        &mut self,
        frame: &Frame<'_>,
        mut write: impl FnMut(&Outcome) -> Result<(), E>,
    ) -> Result<(), E> {
        while self.submitted - self.written >= self.capacity {
            self.help_or_wait();
            self.write_judged(&mut write)?;
        }
        let mut job = self.spare.pop().unwrap_or_default();
        job.copy(frame, self.submitted);
        self.submitted += 1;
        self.shared.lock().waiting.push_back(job);
        self.shared.waiting.notify_one();
        self.write_judged(&mut write)
    }

    /// Hands over all that is left.
    pub fn finish<E>(&mut self, mut write: impl FnMut(&Outcome) -> Result<(), E>) -> Result<(), E> {
        while self.written < self.submitted {
            self.help_or_wait();
            self.write_judged(&mut write)?;
        }
        Ok(())
    }

    /// Judges a frame that waits, or waits for one that is being judged.
    fn help_or_wait(&mut self) {
        let mut state = self.shared.lock();
        assert!(!state.worker_died, "a validating thread has died");
        if let Some(mut job) = state.waiting.pop_front() {
            drop(state);
            job.judge(&mut self.checker);
            self.shared.lock().judged.insert(job.number, job);
        } else if !state.judged.contains_key(&self.written) {
            drop(self.shared.judged.wait(state).unwrap_or_else(PoisonError::into_inner));
        }
    }

    fn write_judged<E>(
        &mut self,
        write: &mut impl FnMut(&Outcome) -> Result<(), E>,
    ) -> Result<(), E> {
        loop {
            let Some(job) = self.shared.lock().judged.remove(&self.written) else {
                return Ok(());
            };
            self.written += 1;
            write(&job.outcome)?;
            self.spare.push(job);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        {
            let mut state = self.shared.lock();
            state.closing = true;
            state.waiting.clear();
        }
        self.shared.waiting.notify_all();
        for worker in self.workers.drain(..) {
            // That a worker panicked has been told by `worker_died`.
            let _ = worker.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, mut checker: Checker) {
        let _obituary = Obituary(self);
        while let Some(mut job) = self.next_job() {
            job.judge(&mut checker);
            self.lock().judged.insert(job.number, job);
            self.judged.notify_one();
        }
    }

    /// The next frame to judge; `None` when the pool closes.
    fn next_job(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.closing {
                return None;
            }
            if let Some(job) = state.waiting.pop_front() {
                return Some(job);
            }
            state = self.waiting.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Tells the framing thread if a worker panics: it would wait for ever.
struct Obituary<'a>(&'a Shared);

impl Drop for Obituary<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.lock().worker_died = true;
            self.0.judged.notify_all();
        }
    }
}

impl Job {
    /// Copies the records of a frame, and only their part of its text.
    fn copy(&mut self, frame: &Frame<'_>, number: u64) {
        let (Some(first), Some(last)) = (frame.records.first(), frame.records.last()) else {
            return;
        };
        let base = first.start;
        let text = &frame.text[base as usize..last.next as usize];
        let marks = frame.records.iter().map(|it| it.first_mark + it.cells).max().unwrap_or(0);
        let escapes =
            frame.records.iter().map(|it| it.first_escape + it.escapes).max().unwrap_or(0);
        self.number = number;
        self.text.clear();
        self.text.extend_from_slice(text);
        self.marks.clear();
        self.marks.extend(frame.marks[..marks as usize].iter().map(|mark| mark.wrapping_sub(base)));
        self.escapes.clear();
        self.escapes.extend(
            frame.escapes[..escapes as usize].iter().map(|escape| escape.wrapping_sub(base)),
        );
        self.records.clear();
        self.records.extend(frame.records.iter().map(|record| Record {
            start: record.start - base,
            end: record.end - base,
            next: record.next - base,
            ..*record
        }));
        self.seen_nul = frame.seen_nul;
        self.offset = frame.offset + u64::from(base);
        self.first_row = frame.first_row;
        self.outcome.clear();
    }

    fn judge(&mut self, checker: &mut Checker) {
        let frame = Frame {
            text: &self.text,
            marks: &self.marks,
            escapes: &self.escapes,
            records: &self.records,
            seen_nul: self.seen_nul,
            offset: self.offset,
            first_row: self.first_row,
        };
        checker.check(&frame, &mut self.outcome);
    }
}
