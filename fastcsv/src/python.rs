//! The Python boundary: the only file that names `PyO3`.

use pyo3::prelude::*;

#[pymodule]
mod _core {}
