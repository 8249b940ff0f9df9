//! Judges one payload by its schema: bounds, UTF-8, the walk and, where there are no tables, the general validator.

use super::general;
use super::report::PayloadReport;
use super::schema::PayloadSchema;
use super::tables::PayloadTables;
use super::tree;
use super::walk::{PayloadWalk, WalkBounds};

/// The deepest nesting that can be asked for: the general validator reads its tree with a stack.
const DEPTH_MAX: u32 = 120;

/// The largest payload that can be asked for: places in it are kept in 32 bits.
const PAYLOAD_BYTES_MAX: usize = 1 << 30;

/// Tables without a node: strict JSON alone.
static NO_TABLES: PayloadTables = PayloadTables { nodes: Vec::new(), root: 0 };

/// Hands every bound to `$define`, with its type and its default: the one list, also for the Python boundary.
macro_rules! with_payload_limits {
    ($define:ident) => {
        $define! {
            /// Bytes of a payload.
            max_payload_bytes: usize = 16_777_216,
            /// Levels of objects and lists; 120 at the most.
            max_depth: u32 = 64,
            /// Violations that are kept, all are counted; and unknown members that are kept.
            max_violations: usize = 100,
        }
    };
}
#[cfg(feature = "python")]
pub(crate) use with_payload_limits;

macro_rules! define_limits {
    ($($(#[$doc:meta])* $field:ident: $type:ty = $default:tt,)*) => {
        /// The bounds on one payload, each with its default.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(clippy::struct_field_names, reason = "they are named as in Python")]
        pub struct PayloadLimits {
            $($(#[$doc])* pub $field: $type,)*
        }

        impl Default for PayloadLimits {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }
    };
}

with_payload_limits!(define_limits);

impl PayloadLimits {
    /// Refuses bounds that no payload can be judged by.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.max_depth > DEPTH_MAX {
            return Err("max_depth must be at most 120");
        }
        if self.max_payload_bytes > PAYLOAD_BYTES_MAX {
            return Err("max_payload_bytes must be at most 1 GiB");
        }
        if self.max_violations == 0 {
            return Err("max_violations must be at least 1");
        }
        Ok(())
    }
}

impl PayloadSchema {
    /// Judges a payload. Under `strict` a member that the schema does not name is a violation.
    #[must_use]
    pub fn judge<'a>(
        &'a self,
        payload: &'a [u8],
        strict: bool,
        limits: &PayloadLimits,
    ) -> PayloadReport<'a> {
        match text_of(payload, limits) {
            Ok(text) => self.judge_text(text, strict, limits),
            Err(refused) => refused,
        }
    }

    /// Reads a payload as strict JSON, by no schema.
    pub(super) fn read_alone<'a>(payload: &'a [u8], limits: &PayloadLimits) -> PayloadReport<'a> {
        match text_of(payload, limits) {
            Ok(text) => PayloadWalk::new(&NO_TABLES, text, bounds(limits), false).run(None).0,
            Err(refused) => refused,
        }
    }

    /// Judges a payload that is known to be UTF-8 and within the bound on its bytes.
    pub(crate) fn judge_text<'a>(
        &'a self,
        text: &'a str,
        strict: bool,
        limits: &PayloadLimits,
    ) -> PayloadReport<'a> {
        let mut report = self.judge_in_our_words(text, strict, limits);
        if let Some(messages) = &self.messages
            && !report.is_valid()
        {
            messages.apply(&mut report);
        }
        report
    }

    #[inline]
    fn judge_in_our_words<'a>(
        &'a self,
        text: &'a str,
        strict: bool,
        limits: &PayloadLimits,
    ) -> PayloadReport<'a> {
        let bounds = bounds(limits);
        if let Some(tables) = &self.tables {
            let walk = PayloadWalk::new(tables, text, bounds, strict);
            return walk.run(Some(tables.root)).0;
        }
        let (mut report, is_whole) = PayloadWalk::new(&NO_TABLES, text, bounds, strict).run(None);
        if is_whole {
            match tree::read(text) {
                Ok(value) => general::judge(&self.validator, &value, bounds.kept, &mut report),
                Err(fault) => return PayloadReport::refused(fault.keyword(), fault.to_string()),
            }
        }
        report
    }
}

fn bounds(limits: &PayloadLimits) -> WalkBounds {
    WalkBounds { depth: limits.max_depth.min(DEPTH_MAX), kept: limits.max_violations.max(1) }
}

/// The text of a payload, or the verdict on one that is too long or no UTF-8.
#[inline]
fn text_of<'a>(payload: &'a [u8], limits: &PayloadLimits) -> Result<&'a str, PayloadReport<'a>> {
    let bytes_max = limits.max_payload_bytes.min(PAYLOAD_BYTES_MAX);
    if payload.len() > bytes_max {
        let message = format!("is longer than {bytes_max} bytes");
        return Err(PayloadReport::refused("payloadBytes", message));
    }
    simdutf8::basic::from_utf8(payload)
        .map_err(|_| PayloadReport::refused("encoding", not_utf8(payload)))
}

#[cold]
fn not_utf8(payload: &[u8]) -> String {
    let valid_bytes = std::str::from_utf8(payload).err().map_or(0, |error| error.valid_up_to());
    format!("is not UTF-8 (at byte {valid_bytes})")
}
