//! The checks of a single value, one file a rule.
