//! Row schemas: a JSON Schema document compiled to one check per column.
