"""Validates CSV against JSON Schema, and quarantines the rows that fail.

Schemas, bytes and paths go in; a frozen report comes out, and beside it the files of the batch. The
whole of the work runs in Rust with the interpreter free for others.
"""

from fastcsv._core import (
    Column,
    CompressionError,
    EmptyInputError,
    EncodingError,
    FastcsvError,
    FormatError,
    HeaderDifference,
    HeaderError,
    InputError,
    LimitError,
    Options,
    OutputFile,
    Progress,
    Report,
    Schema,
    SchemaError,
    Validator,
    clean_name,
    compare,
    detect,
    validate_file,
)

__all__ = [
    "Column",
    "CompressionError",
    "EmptyInputError",
    "EncodingError",
    "FastcsvError",
    "FormatError",
    "HeaderDifference",
    "HeaderError",
    "InputError",
    "LimitError",
    "Options",
    "OutputFile",
    "Progress",
    "Report",
    "Schema",
    "SchemaError",
    "Validator",
    "clean_name",
    "compare",
    "detect",
    "validate_file",
]
