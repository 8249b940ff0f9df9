//! `Options` and `PayloadOptions`: how an input is validated, and every bound on it.

use crate::options::{Options, PayloadOptions, with_options, with_payload_options};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

macro_rules! python_options {
    ($($(#[$doc:meta])* $field:ident: $type:ty = $default:tt,)*) => {
        /// How an input is validated, and every bound on it.
        #[pyclass(name = "Options", module = "fastcsv", frozen, get_all, eq)]
        #[derive(Clone, PartialEq, Eq)]
        #[allow(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
        pub(super) struct PyOptions {
            delimiter: Option<char>,
            $($(#[$doc])* $field: $type,)*
        }

        #[pymethods]
        impl PyOptions {
            #[new]
            #[pyo3(signature = (*, delimiter = None, $($field = $default,)*))]
            #[allow(clippy::too_many_arguments, clippy::fn_params_excessive_bools)]
            fn new(delimiter: Option<char>, $($field: $type,)*) -> PyResult<Self> {
                let it = Self { delimiter, $($field,)* };
                it.chosen()?;
                Ok(it)
            }
        }

        impl PyOptions {
            /// The same for the core; refuses what no input could be read with.
            pub(super) fn chosen(&self) -> PyResult<Options> {
                let delimiter = self.delimiter.map(delimiter_byte).transpose()?;
                let chosen = Options { delimiter, $($field: self.$field,)* };
                chosen.check().map_err(PyValueError::new_err)?;
                Ok(chosen)
            }
        }
    };
}

with_options!(python_options);

macro_rules! python_payload_options {
    ($($(#[$doc:meta])* $field:ident: $type:ty = $default:tt,)*) => {
        /// How a batch of payloads is validated, and every bound on it.
        #[pyclass(name = "PayloadOptions", module = "fastcsv", frozen, get_all, eq)]
        #[derive(Clone, PartialEq, Eq)]
        pub(super) struct PyPayloadOptions {
            $($(#[$doc])* $field: $type,)*
        }

        #[pymethods]
        impl PyPayloadOptions {
            #[new]
            #[pyo3(signature = (*, $($field = $default,)*))]
            #[allow(clippy::too_many_arguments, reason = "keyword-only")]
            fn new($($field: $type,)*) -> PyResult<Self> {
                let it = Self { $($field,)* };
                it.chosen()?;
                Ok(it)
            }
        }

        impl PyPayloadOptions {
            /// The same for the core; refuses what no input could be read with.
            pub(super) fn chosen(&self) -> PyResult<PayloadOptions> {
                let chosen = PayloadOptions { $($field: self.$field,)* };
                chosen.check().map_err(PyValueError::new_err)?;
                Ok(chosen)
            }
        }
    };
}

with_payload_options!(python_payload_options);

fn delimiter_byte(delimiter: char) -> PyResult<u8> {
    u8::try_from(delimiter).map_err(|_| PyValueError::new_err("delimiter must be ASCII"))
}
