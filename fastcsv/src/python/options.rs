//! `Options`: how an input is validated, and every bound on it.

use crate::options;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Defines `Options` from one list of its fields and their defaults.
macro_rules! options {
    ($($field:ident: $type:ty = $default:tt,)*) => {
        /// How an input is validated, and every bound on it.
        #[pyclass(module = "fastcsv", frozen, get_all, eq)]
        #[derive(Clone, PartialEq, Eq)]
        #[allow(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
        pub(super) struct Options {
            delimiter: Option<char>,
            $($field: $type,)*
        }

        #[pymethods]
        impl Options {
            #[new]
            #[pyo3(signature = (*, delimiter = None, $($field = $default,)*))]
            #[allow(clippy::too_many_arguments, clippy::fn_params_excessive_bools)]
            fn new(delimiter: Option<char>, $($field: $type,)*) -> PyResult<Self> {
                let it = Self { delimiter, $($field,)* };
                it.chosen()?;
                Ok(it)
            }
        }

        impl Options {
            /// The same for the core; refuses what no input could be read with.
            pub(super) fn chosen(&self) -> PyResult<options::Options> {
                let delimiter = self.delimiter.map(delimiter_byte).transpose()?;
                let chosen = options::Options { delimiter, $($field: self.$field,)* };
                chosen.check().map_err(PyValueError::new_err)?;
                Ok(chosen)
            }
        }
    };
}

options! {
    strict: bool = false,
    accept_recovered: bool = false,
    valid_out: bool = false,
    threads: usize = 1,
    max_record_bytes: usize = 1_048_576,
    max_record_lines: usize = 10_000,
    max_fields: usize = 1_024,
    max_field_bytes: usize = 262_144,
    max_header_bytes: usize = 65_536,
    max_json_depth: u32 = 128,
    max_errors_per_record: usize = 100,
    max_decompressed_bytes: u64 = 17_179_869_184,
    max_output_bytes: u64 = 68_719_476_736,
    max_expansion: u64 = 1_000,
    expansion_free_bytes: u64 = 67_108_864,
}

fn delimiter_byte(delimiter: char) -> PyResult<u8> {
    u8::try_from(delimiter).map_err(|_| PyValueError::new_err("delimiter must be ASCII"))
}
