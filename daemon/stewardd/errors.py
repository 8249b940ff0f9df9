"""Every error that the daemon raises on purpose.

    StewardError
    ├── InvalidRequest          the request cannot be right, whatever the state
    │   ├── RequestIdReused     same request_id, another request
    │   ├── UnknownSchema       no schema or version of that name
    │   ├── DatabaseUnknown     no database of that name
    │   ├── HeaderRefused       the header fits no schema, or is no header
    │   ├── InputRefused        the bytes are no file that can be judged
    │   ├── UriRefused          outside the roots, or not a file
    │   ├── MalformedMessage    bytes that are no message of their method
    │   └── MessageTooLarge     a message over the limit
    ├── NotFound                no resource of that name
    ├── Conflict                another call is at the same thing
    │   ├── RequestInProgress   the same request_id is being served now
    │   ├── UploadIncomplete    no Commit, or what came is not what Commit says
    │   ├── RowChanged          somebody else was faster
    │   ├── BatchRewritten      a purge or an erasure put other files in the place of those that were read
    │   ├── LeaseLost           this writer was given up for dead; nothing was published
    │   └── OperationAbandoned  the daemon that was at it is gone
    ├── NotNow                  the state forbids it
    │   ├── RowClosed           the row is resolved or discarded already
    │   ├── RowPurged           what the row held was removed
    │   ├── ExportPurged        rows that the export had were removed
    │   ├── NothingToExport     the cursor has had it all
    │   ├── ValidRowsNotKept    the batch did not keep its valid rows
    │   ├── DatabaseRefused     the database answers, and won't have us
    │   └── Cancelled           somebody asked for it
    ├── Exhausted               a bound was reached
    │   └── StorageFull         no room to write
    ├── Unavailable             try again later
    │   ├── DatabaseDown        the database does not answer
    │   │   └── DatabaseFull    it answers that all of its connections are taken
    │   ├── DatabaseBusy        every connection is taken
    │   └── RepositoryDown      the repository does not answer
    │       └── RepositoryRefused   it answers, and won't have us
    ├── Failed                  a tool or a promise failed
    │   ├── ToolFailed          a child process ended badly
    │   ├── ToolMissing         no client tool that fits the server
    │   ├── BatchesLeft         some batches could not be done; the others are
    │   └── Corrupt             what was read is not what was written
    ├── NotServed               the contract has it, this daemon does not
    └── ConfigurationError      the daemon cannot start like this

Each class carries a stable UPPER_SNAKE `reason`, and a hint that says what to do next. A message is lower case,
without a full stop, names the thing and never holds a cell's value or a secret. Bad rows are data, not errors.
"""

from __future__ import annotations

from collections.abc import Mapping


class StewardError(Exception):
    """What all have in common.

    `metadata` goes to the client beside the reason (google.rpc.ErrorInfo); `retry_after_s` as RetryInfo; `field` names
    the request's field at fault (google.rpc.BadRequest).
    """

    reason = "INTERNAL"
    hint = ""

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        field: str | None = None,
        metadata: Mapping[str, str] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if hint is not None:
            self.hint = hint
        self.field = field
        self.metadata: dict[str, str] = dict(metadata or {})
        self.retry_after_s = retry_after_s


class InvalidRequest(StewardError):
    """The request cannot be right, whatever the state."""

    reason = "INVALID_REQUEST"
    hint = "correct the request; repeating it as it is will fail again"


class RequestIdReused(InvalidRequest):
    """The same request_id came with another request."""

    reason = "REQUEST_ID_REUSED"
    hint = "use a new request_id for a new request"


class UnknownSchema(InvalidRequest):
    """There is no schema, or no version, of that name."""

    reason = "SCHEMA_UNKNOWN"
    hint = "list the schemas with `steward schema list`"


class DatabaseUnknown(InvalidRequest):
    """There is no database of that name in the configuration."""

    reason = "DATABASE_UNKNOWN"
    hint = "name one of the databases under `postgres.databases`"


class HeaderRefused(InvalidRequest):
    """The header fits no schema, or is no header."""

    reason = "HEADER_REFUSED"
    hint = "compare the header with `steward schema show`, or pin the schema"


class InputRefused(InvalidRequest):
    """The bytes are no file that can be judged: empty, not text, or not the compression that they begin with."""

    reason = "INPUT_REFUSED"
    hint = "send a CSV file with a header row, as UTF-8 or UTF-16, plain, gzip or zstd"


class UriRefused(InvalidRequest):
    """The URI lies outside the configured roots, goes through a symbolic link, or names no regular file."""

    reason = "URI_REFUSED"
    hint = "put the file below one of the daemon's `validation.uri_roots`, or upload it"


class MalformedMessage(InvalidRequest):
    """The bytes are no message of the method that they were sent to."""

    reason = "MALFORMED_MESSAGE"
    hint = "encode the message as proto/steward/v1 describes it; server reflection has it too"


class MessageTooLarge(InvalidRequest):
    """A message of the stream is over the limit."""

    reason = "MESSAGE_TOO_LARGE"
    hint = "send chunks of 1 MiB"


class NotFound(StewardError):
    """There is no resource of that name."""

    reason = "NOT_FOUND"
    hint = "list what exists, and check the name"


class BatchNotFound(NotFound):
    """There is no batch of that name, or none that was published."""

    reason = "BATCH_NOT_FOUND"


class RowNotFound(NotFound):
    """The batch has no quarantined row of that number."""

    reason = "ROW_NOT_FOUND"
    hint = "list the rows with `steward quarantine show`"


class ExportNotFound(NotFound):
    """The batch has no export of that name."""

    reason = "EXPORT_NOT_FOUND"


class BackupNotFound(NotFound):
    """There is no backup of that name."""

    reason = "BACKUP_NOT_FOUND"


class OperationNotFound(NotFound):
    """There is no operation of that name."""

    reason = "OPERATION_NOT_FOUND"


class SchemaNotFound(NotFound):
    """There is no schema, or no version, of that name."""

    reason = "SCHEMA_NOT_FOUND"
    hint = "list the schemas with `steward schema list`"


class ObjectNotFound(NotFound):
    """The repository holds no object under that key."""

    reason = "OBJECT_NOT_FOUND"


class Conflict(StewardError):
    """Another call is at the same thing, or this one came apart; begin again."""

    reason = "CONFLICT"
    hint = "begin again"


class ObjectExists(Conflict):
    """A create-once put found an object under that key."""

    reason = "OBJECT_EXISTS"


class RequestInProgress(Conflict):
    """A request with this request_id is being served now."""

    reason = "REQUEST_IN_PROGRESS"
    hint = "wait, and send it again with the same request_id to get its answer"


class UploadIncomplete(Conflict):
    """The stream ended without Commit, or its size or checksum are not what Commit says."""

    reason = "UPLOAD_INCOMPLETE"
    hint = "send the file again, and Commit with its size and CRC-32C"


class RowChanged(Conflict):
    """Somebody else changed the row since it was read, or changes the batch's rows all the time."""

    reason = "ROW_CHANGED"
    hint = "read the row again, and see whether it still wants correcting"


class BatchRewritten(Conflict):
    """A purge or an erasure rewrote the batch, and what was begun cannot go on with its new files."""

    reason = "BATCH_REWRITTEN"
    hint = (
        "begin again: the same call reads the batch as it is now; drop what came of a file before"
    )


class LeaseLost(Conflict):
    """This writer could not renew its lease in time; nothing was published."""

    reason = "LEASE_LOST"
    hint = "check that the daemon reaches the repository, and begin again"


class OperationAbandoned(Conflict):
    """The daemon that was at this operation is gone, and it was not done."""

    reason = "OPERATION_ABANDONED"
    hint = "start it again"


class NotNow(StewardError):
    """The state of the system forbids it."""

    reason = "FAILED_PRECONDITION"
    hint = "bring the system into the state that the message names, and try again"


class RowClosed(NotNow):
    """The row is resolved or discarded, which is final."""

    reason = "ROW_CLOSED"
    hint = "see its history; a row that is wrong after all comes with a new batch"


class RowPurged(NotNow):
    """What the row held was removed for good."""

    reason = "ROW_PURGED"
    hint = "an archive may have it, where the purge made one"


class ExportPurged(NotNow):
    """Rows that the export had were removed for good, after a later export of its cursor was asked for."""

    reason = "EXPORT_PURGED"
    hint = "an archive may have them, where the purge made one; the exports after it are whole"


class NothingToExport(NotNow):
    """The cursor has had all good rows that there are."""

    reason = "NOTHING_TO_EXPORT"
    hint = "ask again when more rows are resolved, or download the last export by its name"


class ValidRowsNotKept(NotNow):
    """The batch did not keep the rows that were valid from the start."""

    reason = "VALID_ROWS_NOT_KEPT"
    hint = "validate the file again with `keep_valid_rows`, or leave the valid rows out"


class DatabaseRefused(NotNow):
    """The database answers, and won't have us: a wrong password, no such database, a right that is missing."""

    reason = "DATABASE_REFUSED"
    hint = "check the database's URL, and the rights of its user"


class Cancelled(NotNow):
    """Somebody asked for it to be cancelled, or the daemon is stopping."""

    reason = "CANCELLED"
    hint = "start it again when it is wanted"


class Exhausted(StewardError):
    """A bound was reached."""

    reason = "RESOURCE_EXHAUSTED"
    hint = "wait for other work to end, or raise the bound in the configuration"


class TooManyRequests(Exhausted):
    """As many calls are being served as the daemon may serve."""

    reason = "TOO_MANY_REQUESTS"
    hint = "wait, and try again; the bound is `server.max_concurrent_calls`"


class StorageFull(Exhausted):
    """There is no room to write."""

    reason = "STORAGE_FULL"
    hint = "free room where the daemon keeps its data and its repository"


class Unavailable(StewardError):
    """Something that is needed does not answer; it may later."""

    reason = "UNAVAILABLE"
    hint = "try again later; `steward health` says what is down"


class DatabaseDown(Unavailable):
    """The database does not answer."""

    reason = "DATABASE_DOWN"


class DatabaseFull(DatabaseDown):
    """The database is there, and all of its connections are taken: as good as away for who has none."""

    reason = "DATABASE_FULL"
    hint = "see who holds them (pg_stat_activity); raise max_connections, or lower `postgres.pool_max_size`"


class DatabaseBusy(Unavailable):
    """Every connection of the pool is taken."""

    reason = "DATABASE_BUSY"


class RepositoryDown(Unavailable):
    """The repository does not answer."""

    reason = "REPOSITORY_DOWN"


class RepositoryRefused(RepositoryDown):
    """The repository answers, and refuses: a right, the credentials, the clock, the region, no such bucket."""

    reason = "REPOSITORY_REFUSED"
    hint = "check the repository's credentials and what they may do"


class Failed(StewardError):
    """A tool or a promise failed."""

    reason = "FAILED"
    hint = "put right what the message names, and try again"


class ToolFailed(Failed):
    """A child process ended badly."""

    reason = "TOOL_FAILED"


class ToolMissing(Failed):
    """There is no client tool that fits the server's version."""

    reason = "TOOL_MISSING"
    hint = "install client tools of the server's major version, or name their folder in `postgres.tools_dir`"


class BatchesLeft(Failed):
    """Some batches could not be erased from, and may still name the person; all others are done."""

    reason = "BATCHES_LEFT"
    hint = "see the daemon's log for why, put it right, and erase again; what is erased stays so"


class Corrupt(Failed):
    """What was read is not what was written."""

    reason = "CORRUPT"
    hint = "keep what is there and look at the storage below the repository"


class NotServed(StewardError):
    """The contract has this method, and the daemon leaves it out."""

    reason = "NOT_SERVED"
    hint = "do without it; asking again will not help"


class ConfigurationError(StewardError):
    """The daemon cannot start like this."""

    reason = "CONFIGURATION"
    hint = "see docs/configuration.md"
