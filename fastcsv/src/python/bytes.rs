//! The bytes of a Python object: in place where no Python code can change them meanwhile, else a copy.

use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyMemoryView, PyTuple};
use std::ops::{Deref, Range};

/// Part of a `bytes` object that is kept alive. It may be read while the interpreter is free.
pub struct Bytes {
    whole: PyBackedBytes,
    range: Range<usize>,
}

impl Bytes {
    /// The bytes of any object that has the buffer protocol, in the order of its elements.
    pub fn of(data: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(whole) = data.extract::<PyBackedBytes>() {
            return Ok(Self { range: 0..whole.len(), whole });
        }
        let view = PyMemoryView::from(data)?;
        if let Some(part) = Self::viewed(&view)? {
            return Ok(part);
        }
        let whole: PyBackedBytes = view.call_method0("tobytes")?.extract()?;
        Ok(Self { range: 0..whole.len(), whole })
    }

    pub fn of_all(pieces: &Bound<'_, PyTuple>) -> PyResult<Vec<Self>> {
        pieces.iter().map(|piece| Self::of(&piece)).collect()
    }

    /// What a view shows of a `bytes` object, where that is one piece of it.
    fn viewed(view: &Bound<'_, PyMemoryView>) -> PyResult<Option<Self>> {
        let Ok(whole) = view.getattr("obj")?.cast_into::<PyBytes>() else { return Ok(None) };
        let whole = PyBackedBytes::from(whole);
        let Ok(buffer) = PyBuffer::<u8>::get(view) else { return Ok(None) };
        if !buffer.is_c_contiguous() {
            return Ok(None);
        }
        // A view names no place, only an address.
        let (begin, size) = (buffer.buf_ptr().addr(), buffer.len_bytes());
        let range = begin.checked_sub(whole.as_ptr().addr()).map(|begin| begin..begin + size);
        let inside = range.filter(|range| range.end <= whole.len());
        Ok(inside.map(|range| Self { whole, range }))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.whole[self.range.clone()]
    }
}
