//! Locks a mutex whose content stays good when a thread panics.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks what stays as good as it was if a thread panics that held it.
pub(crate) fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}
