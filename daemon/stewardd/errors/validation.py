"""Errors of an upload and of the schema that it is held to."""

from __future__ import annotations

from stewardd.errors.kinds import Conflict, InvalidRequest, NotFound, NotNow


class UnknownSchema(InvalidRequest):
    """There is no schema, or no version, of that name."""

    reason = "SCHEMA_UNKNOWN"
    hint = "list the schemas with `steward schema list`"


class SchemaNotFound(NotFound):
    """There is no schema, or no version, of that name."""

    reason = "SCHEMA_NOT_FOUND"
    hint = "list the schemas with `steward schema list`"


class HeaderRefused(InvalidRequest):
    """The header fits no schema, or is no header."""

    reason = "HEADER_REFUSED"
    hint = "compare the header with `steward schema show`, or pin the schema"


class InputRefused(InvalidRequest):
    """The bytes are not a file that can be validated: empty, not text, or not the compression that they begin with."""

    reason = "INPUT_REFUSED"
    hint = "send a CSV file with a header row, as UTF-8 or UTF-16, plain, gzip or zstd"


class PayloadRefused(InvalidRequest):
    """A payload whose schema is not named fits none, or more than one, or cannot be read."""

    reason = "PAYLOAD_REFUSED"
    hint = "name the schema, or compare the payload with what was tried"


class UriRefused(InvalidRequest):
    """The URI lies outside the configured roots, goes through a symbolic link, or names no regular file."""

    reason = "URI_REFUSED"
    hint = "put the file below one of the daemon's `validation.uri_roots`, or upload it"


class UploadIncomplete(Conflict):
    """The stream ended without Commit, or its size or checksum are not what Commit says."""

    reason = "UPLOAD_INCOMPLETE"
    hint = "send the file again, and Commit with its size and CRC-32C"


class BatchNotFound(NotFound):
    """There is no batch of that name, or none that was published."""

    reason = "BATCH_NOT_FOUND"


class ValidRowsNotKept(NotNow):
    """The batch did not keep the rows that were valid from the start."""

    reason = "VALID_ROWS_NOT_KEPT"
    hint = "validate the file again with `keep_valid_rows`, or leave the valid rows out"
