"""What the compiled module holds; see the classes of fastcsv."""

from collections.abc import Sequence
from os import PathLike
from typing import final

__all__ = [
    "Column",
    "CompressionError",
    "DetectionError",
    "EmptyInputError",
    "EncodingError",
    "FastcsvError",
    "FormatError",
    "HeaderDifference",
    "HeaderError",
    "InputError",
    "LimitError",
    "LineHash",
    "Options",
    "OutputFile",
    "PayloadOptions",
    "PayloadReport",
    "PayloadSchema",
    "PayloadValidator",
    "PayloadViolation",
    "Progress",
    "Report",
    "Schema",
    "SchemaError",
    "Validator",
    "clean_name",
    "compare",
    "detect",
    "detect_payload",
    "normalise_payload",
    "validate_file",
    "validate_payload",
    "validate_payload_file",
]

class FastcsvError(Exception):
    """What fastcsv refuses, or fails at."""

    reason: str
    """Stable and UPPER_SNAKE, for machines."""
    hint: str
    """What to do next."""

class SchemaError(FastcsvError):
    """A schema document is refused."""

class InputError(FastcsvError):
    """An input as a whole is refused; a bad row never is."""

class EmptyInputError(InputError):
    """There is no header."""

class HeaderError(InputError):
    """The header fits no schema."""

    missing: tuple[str, ...]
    """Required columns that the nearest schema has and the header has not."""
    duplicated: tuple[str, ...]
    empty: tuple[int, ...]
    """Positions, from 1, of columns without a name."""
    unknown: tuple[str, ...]
    """Columns that the schema does not know, under strict."""
    nearest: str | None
    """The nearest schema, as name/version."""
    similar: dict[str, str]
    """Columns of the header that may be meant for missing ones, and for which."""

class DetectionError(InputError):
    """The schema of a payload is not known.

    The reason is PAYLOAD_UNREADABLE, PAYLOAD_UNKNOWN or PAYLOAD_AMBIGUOUS.
    """

    tried: dict[str, tuple[str, ...]]
    """The schemas that were tried, as name/version, and what speaks against each: nothing where it fits."""

class FormatError(InputError):
    """The input is no CSV: its first bytes say what it is."""

class EncodingError(InputError):
    """The input is in no encoding that is read."""

class CompressionError(InputError):
    """The compressed input is damaged, cut short, or needs too large a window."""

class LimitError(InputError):
    """A bound on the input as a whole was passed."""

@final
class Column:
    """A column that a schema knows."""

    @property
    def name(self) -> str: ...
    @property
    def required(self) -> bool: ...
    @property
    def pii(self) -> bool:
        """Whether the cells are personal data."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...

@final
class Schema:
    """A compiled row schema: a JSON Schema 2020-12 document whose properties are the columns.

    Raises SchemaError, with the reason why the document is refused.
    """

    def __new__(cls, document: bytes | str, *, name: str, version: str) -> Schema: ...
    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def columns(self) -> tuple[Column, ...]: ...
    @property
    def effective_date(self) -> str | None:
        """The day from which the schema is in force, YYYY-MM-DD."""

    @property
    def deprecated(self) -> bool: ...
    @property
    def warnings(self) -> tuple[str, ...]:
        """What of the document has no effect, such as unknown keywords and formats, with its place."""

@final
class Options:
    """How an input is validated, and every bound on it.

    Raises ValueError for a choice out of range, OverflowError for one below 0 or over 64 bits.
    """

    def __new__(
        cls,
        *,
        delimiter: str | None = None,
        strict: bool = False,
        accept_recovered: bool = False,
        valid_out: bool = False,
        threads: int = 1,
        max_record_bytes: int = 1048576,
        max_record_lines: int = 10000,
        max_fields: int = 4096,
        max_field_bytes: int = 262144,
        max_header_bytes: int = 65536,
        max_json_depth: int = 128,
        max_errors_per_record: int = 100,
        max_decompressed_bytes: int = 274877906944,
        max_output_bytes: int = 549755813888,
        max_expansion: int = 1000,
        expansion_free_bytes: int = 67108864,
    ) -> Options: ...
    @property
    def delimiter(self) -> str | None:
        """None: found in the header, one of comma, semicolon, tab and vertical bar."""

    @property
    def strict(self) -> bool:
        """Refuse a header with columns that the schema does not know."""

    @property
    def accept_recovered(self) -> bool:
        """Take the valid rows read again from a broken record as good."""

    @property
    def valid_out(self) -> bool:
        """Write valid.csv: the header and the valid rows, byte for byte."""

    @property
    def threads(self) -> int:
        """How many validate; the output is the same for any number."""

    @property
    def max_record_bytes(self) -> int:
        """Of a record without its line end; a longer one is cut back to its first line."""

    @property
    def max_record_lines(self) -> int: ...
    @property
    def max_fields(self) -> int:
        """Cells of a record, and columns of the header."""

    @property
    def max_field_bytes(self) -> int: ...
    @property
    def max_header_bytes(self) -> int: ...
    @property
    def max_json_depth(self) -> int:
        """Nesting of a cell that holds JSON."""

    @property
    def max_errors_per_record(self) -> int:
        """Errors of a record that are written out; all are counted."""

    @property
    def max_decompressed_bytes(self) -> int:
        """Of a gzip or zstd input."""

    @property
    def max_output_bytes(self) -> int:
        """Of all files that the batch writes."""

    @property
    def max_expansion(self) -> int:
        """How many times its size an input may become, decompressed or written."""

    @property
    def expansion_free_bytes(self) -> int:
        """So much may come of any input, however small it is."""

    def __eq__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]

@final
class PayloadOptions:
    """How a batch of payloads is validated, and every bound on it.

    Raises: ValueError for a choice out of range, OverflowError for one below 0 or over 64 bits.
    """

    def __new__(
        cls,
        *,
        strict: bool = False,
        valid_out: bool = False,
        threads: int = 1,
        max_payload_bytes: int = 1048576,
        max_depth: int = 64,
        max_errors_per_record: int = 100,
        max_decompressed_bytes: int = 274877906944,
        max_output_bytes: int = 549755813888,
        max_expansion: int = 1000,
        expansion_free_bytes: int = 67108864,
    ) -> PayloadOptions: ...
    @property
    def strict(self) -> bool:
        """Refuse members that the schema does not name, where it is compiled to tables."""

    @property
    def valid_out(self) -> bool:
        """Write valid.jsonl: the valid lines, byte for byte."""

    @property
    def threads(self) -> int:
        """How many validate; the output is the same for any number."""

    @property
    def max_payload_bytes(self) -> int:
        """Of a line without its line end; of a longer one 64 KiB are kept in quarantine."""

    @property
    def max_depth(self) -> int:
        """Levels of objects and lists; at most 120."""

    @property
    def max_errors_per_record(self) -> int:
        """Errors of a payload that are written out; all are counted."""

    @property
    def max_decompressed_bytes(self) -> int:
        """Of a gzip or zstd input."""

    @property
    def max_output_bytes(self) -> int:
        """Of all files that the batch writes."""

    @property
    def max_expansion(self) -> int:
        """How many times its size an input may become, decompressed or written."""

    @property
    def expansion_free_bytes(self) -> int:
        """So much may come of any input, however small it is."""

    def __eq__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]

@final
class Progress:
    """How far a batch has come."""

    @property
    def size_bytes(self) -> int:
        """Of the input as it came."""

    @property
    def crc32c(self) -> int:
        """Of the input as it came."""

    @property
    def total_rows(self) -> int: ...
    @property
    def valid_rows(self) -> int: ...
    @property
    def quarantined_rows(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]

@final
class OutputFile:
    """A file of a finished batch."""

    @property
    def name(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def crc32c(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]

@final
class Report:
    """What a batch came to; report.json says the same."""

    @property
    def batch(self) -> str: ...
    @property
    def source_file(self) -> str: ...
    @property
    def schema(self) -> str:
        """The schema's name."""

    @property
    def version(self) -> str: ...
    @property
    def total_rows(self) -> int:
        """Always valid_rows + quarantined_rows."""

    @property
    def valid_rows(self) -> int: ...
    @property
    def quarantined_rows(self) -> int: ...
    @property
    def recovered_rows(self) -> int:
        """Rows read again from the lines of broken records."""

    @property
    def size_bytes(self) -> int:
        """Of the input as it came."""

    @property
    def crc32c(self) -> int:
        """Of the input as it came."""

    @property
    def errors_by_field(self) -> dict[str, int]:
        """Of payloads by JSON Pointer, with * for the index of an item in a list.

        There are at most 1,000 pointers of at most 256 bytes; the errors of all others stand under _other.
        """

    @property
    def errors_by_keyword(self) -> dict[str, int]: ...
    @property
    def total_errors(self) -> int: ...
    @property
    def unknown_columns(self) -> tuple[str, ...]:
        """Of payloads: JSON Pointers of members that the schema does not name, at most 1,000 as in errors_by_field."""

    @property
    def missing_optional_columns(self) -> tuple[str, ...]:
        """Empty for payloads."""

    @property
    def similar_columns(self) -> dict[str, str]:
        """Of the unknown columns those that may be meant for missing ones, and for which. Empty for payloads."""

    @property
    def delimiter(self) -> str:
        """Empty for payloads."""

    @property
    def encoding(self) -> str:
        """utf-8, utf-16le or utf-16be."""

    @property
    def compression(self) -> str:
        """none, gzip or zstd."""

    @property
    def files(self) -> tuple[OutputFile, ...]: ...
    @property
    def made_at(self) -> str:
        """RFC 3339."""

@final
class HeaderDifference:
    """How a header and a schema differ."""

    @property
    def unknown_columns(self) -> tuple[str, ...]:
        """Of the header; kept, not judged."""

    @property
    def missing_optional_columns(self) -> tuple[str, ...]:
        """Of the schema."""

    @property
    def similar_columns(self) -> dict[str, str]:
        """Of the unknown columns those that may be meant for missing ones, and for which."""

@final
class Validator:
    """Validates one batch, fed in chunks of any size.

    The output files are made at once, in out_dir, which is made too where it does not exist; it must
    hold none of them yet. After any error the validator is spent: abort takes back what it wrote.
    """

    def __new__(
        cls,
        schemas: Sequence[Schema],
        out_dir: str | PathLike[str],
        *,
        batch: str = "",
        source_file: str = "",
        quarantined_at: str,
        options: Options | None = None,
    ) -> Validator: ...
    def feed(self, *pieces: bytes | bytearray | memoryview, threads: int | None = None) -> Progress:
        """Take the next bytes of the input, piece by piece. The interpreter is free meanwhile.

        They are judged on `threads` threads (0 is as 1), at most those of the options and one a piece or 256 KiB of
        one, where there is more than that in all.

        `bytes`, and what a memoryview shows of them in one piece, are read where they stand; any other buffer is
        copied first, for it could change.

        Raises InputError where the input as a whole is refused, OSError where a file cannot be
        written, FastcsvError (VALIDATOR_SPENT) after an earlier error, finish or abort.
        """

    @property
    def schema(self) -> Schema | None:
        """The candidate that the header fits; None until the header has been read."""

    @property
    def difference(self) -> HeaderDifference:
        """How the header and the schema differ; empty until the header has been read."""

    @property
    def progress(self) -> Progress:
        """As of the last completed feed; never waits for one that runs."""

    def finish(self) -> Report:
        """Write what is left and the report, and wait until the disk has all of it."""

    def abort(self) -> None:
        """Remove what was written; nothing happens after finish, or a second time."""

@final
class LineHash:
    """Hashes lines, whatever their order: the sum of the XXH3-64 of each line, without its newline."""

    def __new__(cls) -> LineHash: ...
    def feed(self, *pieces: bytes | bytearray | memoryview) -> None:
        """Take the next bytes, cut anywhere. The interpreter is free meanwhile."""

    def finish(self) -> tuple[int, int]:
        """How many lines there were, and the exact sum of their hashes.

        Raises ValueError where the last line has no end.
        """

@final
class PayloadSchema:
    """A compiled schema of JSON payloads: a JSON Schema 2020-12 document.

    Raises: SchemaError, with the reason why the document is refused.
    """

    def __new__(cls, document: bytes | str, *, name: str, version: str) -> PayloadSchema: ...
    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def effective_date(self) -> str | None:
        """The day from which the schema is in force, YYYY-MM-DD."""

    @property
    def deprecated(self) -> bool: ...
    @property
    def warnings(self) -> tuple[str, ...]:
        """The parts of the document that have no effect, such as unknown keywords and formats."""

    @property
    def event(self) -> str | None:
        """The event that payloads are normalised into, as name/version; None without x-steward-normalise."""

    @property
    def detected(self) -> bool:
        """Whether detect_payload can find it: it has x-steward-detect."""

    @property
    def compiled(self) -> bool:
        """Whether payloads are judged by tables; else the general validator judges them, which takes longer."""

@final
class PayloadValidator:
    """Validates one batch of payloads, one a line (JSON Lines), fed in chunks of any size.

    The output files are made at once, in out_dir, as Validator makes them: records.jsonl, errors.csv, report.json and,
    on request, valid.jsonl. Lines of blanks alone are passed over: a payload's rowNumber counts the others from 1, its
    lineNumber counts all. A byte-order mark at the beginning is passed over. An input without a payload is valid.
    After any error the validator is spent: abort takes back what it wrote.

    candidates are the schemas among which detect_payload found this one: an invalid payload that fits another of them has
    the violation otherSchema, which names it, and no other.
    """

    def __new__(
        cls,
        schema: PayloadSchema,
        out_dir: str | PathLike[str],
        *,
        batch: str = "",
        source_file: str = "",
        quarantined_at: str,
        options: PayloadOptions | None = None,
        candidates: Sequence[PayloadSchema] = ...,
    ) -> PayloadValidator: ...
    def feed(self, *pieces: bytes | bytearray | memoryview, threads: int | None = None) -> Progress:
        """Take the next bytes of the input, piece by piece, as Validator.feed does.

        Raises: InputError where the input as a whole is refused, OSError where a file cannot be written, FastcsvError
        (VALIDATOR_SPENT) after an earlier error, finish or abort.
        """

    @property
    def progress(self) -> Progress:
        """As of the last completed feed; never waits for one that runs."""

    def finish(self) -> Report:
        """Judge the last line, write what is left and the report, and wait until the disk has all of it."""

    def abort(self) -> None:
        """Remove what was written; nothing happens after finish, or a second time."""

@final
class PayloadViolation:
    """One thing that is wrong with a payload."""

    @property
    def pointer(self) -> str:
        """The JSON Pointer (RFC 6901) of the value; of a missing member the pointer that it would have."""

    @property
    def keyword(self) -> str:
        """The keyword of JSON Schema that failed, or one of json, depth, encoding, payloadBytes, duplicateMember, nul,
        surrogate, number; in a file of payloads also otherSchema."""

    @property
    def message(self) -> str:
        """Completes "this value …"; it never holds the value."""

    @property
    def value(self) -> str | None:
        """The value's JSON text, cut after 4,096 bytes; None where there is no value."""

    def __eq__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]

@final
class PayloadReport:
    """The verdict on one payload."""

    @property
    def valid(self) -> bool: ...
    @property
    def violations(self) -> tuple[PayloadViolation, ...]:
        """At most max_violations of them."""

    @property
    def total_violations(self) -> int: ...
    @property
    def unknown_members(self) -> tuple[str, ...]:
        """JSON Pointers of members that the schema does not name, at most max_violations of them.

        Empty where the schema is not compiled to tables.
        """

    @property
    def event(self) -> bytes | None:
        """The normalised event in JSON; None where the payload is not valid, or where normalise_payload was not asked."""

def clean_name(name: str) -> str:
    """Return a header's name as it counts: without a byte-order mark and blanks around it."""

def compare(schema: Schema, header: Sequence[str]) -> HeaderDifference:
    """Return how a header and a schema that it fits differ."""

def detect(schemas: Sequence[Schema], header: Sequence[str]) -> Schema:
    """Return the schema that the header fits best.

    It has all its required columns there, and one that it knows; then it leaves the fewest header columns unknown, then
    misses the fewest of its own, then is the newest. Raises HeaderError.
    """

def detect_payload(
    schemas: Sequence[PayloadSchema],
    payload: bytes | bytearray | memoryview,
    *,
    max_payload_bytes: int = 16777216,
    max_depth: int = 64,
) -> PayloadSchema:
    """Return the schema whose x-steward-detect the payload's members fit; their values are not judged.

    Of several versions of one name the one is taken that leaves the fewest members unknown, then misses the fewest of its
    own, then is the newest.

    Raises: DetectionError where none fits, or schemas of several names do, with what was tried; ValueError for a
    max_depth over 120.
    """

def normalise_payload(
    schema: PayloadSchema,
    payload: bytes | bytearray | memoryview,
    *,
    event_id: str | None = None,
    event_source: str | None = None,
    strict: bool = False,
    max_payload_bytes: int = 16777216,
    max_depth: int = 64,
    max_violations: int = 100,
) -> PayloadReport:
    """Judge one payload as validate_payload does and, where it is valid, normalise it by the schema's x-steward-normalise.

    The event is in the report. With event_id and event_source, those of the delivery, it stands in an envelope of
    CloudEvents 1.0. An event is nested one level deeper than its payload at the most, an envelope one more.

    Raises: ValueError for a schema without x-steward-normalise, for one of event_id and event_source alone or empty, and
    as validate_payload does.
    """

def validate_file(
    schema: Schema | Sequence[Schema],
    path: str | PathLike[str],
    out_dir: str | PathLike[str],
    *,
    batch: str = "",
    source_file: str | None = None,
    quarantined_at: str | None = None,
    options: Options | None = None,
) -> Report:
    """Validate a file into a folder, and remove what was written if that fails.

    source_file is the file's name and quarantined_at the time, where they are not given. Raises as
    Validator.feed does. Ctrl-C ends it; where a pipe is silent, only with one thread, or at the next byte.
    """

def validate_payload(
    schema: PayloadSchema,
    payload: bytes | bytearray | memoryview,
    *,
    strict: bool = False,
    max_payload_bytes: int = 16777216,
    max_depth: int = 64,
    max_violations: int = 100,
) -> PayloadReport:
    """Judge one JSON payload by a schema.

    A payload that is no JSON, or that PostgreSQL could not store, is a report with violations and never an exception.
    Under strict a member that the schema does not name is a violation, where the schema is compiled to tables.

    Raises: ValueError for a max_depth over 120 or a max_violations of 0, OverflowError for a bound out of range.
    """

def validate_payload_file(
    schema: PayloadSchema,
    path: str | PathLike[str],
    out_dir: str | PathLike[str],
    *,
    batch: str = "",
    source_file: str | None = None,
    quarantined_at: str | None = None,
    options: PayloadOptions | None = None,
    candidates: Sequence[PayloadSchema] = ...,
) -> Report:
    """Validate a file of payloads, one a line, into a folder, and remove what was written if that fails.

    source_file is the file's name and quarantined_at the time, where they are not given. For candidates see
    PayloadValidator. Ctrl-C ends it, as it ends
    validate_file.

    Raises: as PayloadValidator.feed does.
    """
