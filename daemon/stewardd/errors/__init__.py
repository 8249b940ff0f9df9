"""Every error that the daemon raises on purpose; a file a domain, and all of them importable from here.

    StewardError
    ├── InvalidRequest          the request cannot be right, whatever the state
    │   ├── RequestIdReused     same request_id, another request
    │   ├── UnknownSchema       no schema or version of that name
    │   ├── DatabaseUnknown     no database of that name
    │   ├── KeyUnknown          no recipient or key of that name
    │   ├── ScheduleInvalid     it never comes, is none, or names no time zone
    │   ├── ConfirmationDiffers a restore that replaces a database was not confirmed by its name
    │   ├── TargetIsSource      the new database would have the name of the live one
    │   ├── HeaderRefused       the header fits no schema, or is no header
    │   ├── InputRefused        the bytes are not a file that can be validated
    │   ├── PayloadRefused      the payload fits no schema, or several
    │   ├── UriRefused          outside the roots, or not a file
    │   ├── MalformedMessage    bytes that are no message of their method
    │   └── MessageTooLarge     a message over the limit
    ├── NotFound                no resource of that name
    │   ├── BatchNotFound       no batch, or none that was published
    │   ├── RowNotFound         no quarantined row of that number in the batch
    │   ├── ExportNotFound      no export of that name in the batch
    │   ├── BackupNotFound      no backup of that name
    │   ├── ScheduleNotFound    no schedule of that name
    │   ├── DatabaseNotFound    no database of that name
    │   ├── OperationNotFound   no operation of that name
    │   ├── SchemaNotFound      no schema or version of that name
    │   ├── MigrationNotFound   no migration of that number in the set
    │   └── ObjectNotFound      no object under that key of the repository
    ├── Conflict                another call works on the same thing
    │   ├── ObjectExists        a create-once put found an object
    │   ├── ScheduleExists      a schedule has the name already
    │   ├── RequestInProgress   the same request_id is being served now
    │   ├── UploadIncomplete    no Commit, or what came is not what Commit says
    │   ├── RowChanged          somebody else was faster
    │   ├── BatchRewritten      a purge or an erasure put other files in the place of those that were read
    │   ├── RestoreInProgress   another restore writes into the same database
    │   ├── LeaseLost           this writer was given up for dead; nothing was published
    │   ├── MigrationInProgress another runner migrates the same database
    │   └── OperationAbandoned  the daemon that ran it is gone
    ├── NotNow                  the state forbids it
    │   ├── RowClosed           the row is resolved or discarded already
    │   ├── RowPurged           what the row held was removed
    │   ├── ExportPurged        rows that the export had were removed
    │   ├── NothingToExport     the cursor has had it all
    │   ├── ValidRowsNotKept    the batch did not keep its valid rows
    │   ├── KeyMissing          the private key that reads the backup is not here
    │   ├── SignerUnknown       nobody who is trusted has signed the backup
    │   ├── BackupPinned        nothing deletes it
    │   ├── BackupDeleted       its data may be removed at any time
    │   ├── LastBackup          the last good backup of its database
    │   ├── NoVerifiedBackup    no backup of the database was proven by a restore
    │   ├── TargetNotEmpty      the server has a database of the new one's name
    │   ├── ServerTooOld        the dump comes from a newer server
    │   ├── RolesMissing        the server lacks roles that the dump names
    │   ├── ExtensionsMissing   the server lacks extensions that the dump has
    │   ├── DumpUnreadable      the file is no dump that can be restored
    │   ├── DumpRunsCommands    a plain dump holds a command of psql, which was not run
    │   ├── DatabaseInUse       sessions are connected to a database that is to be replaced
    │   ├── ScheduleConfigured  the schedule stands in the configuration
    │   ├── NoSecondRepository  no place is configured that backups are copied to
    │   ├── DatabaseRefused     the database answers, and refuses the daemon
    │   │   └── DatabaseStandby     it is a standby, and a primary was asked for
    │   ├── DirectConnectionNeeded  a pooler is in the way
    │   ├── MigrationSetInvalid a gap, a number that two have, a file that is missing or cannot be read
    │   ├── MigrationChanged    edited after it had been applied
    │   ├── MigrationUnproven   no proof for what its files say now
    │   ├── MigrationUnfinished it stopped half-way
    │   ├── MigrationNotReplayed    it does not run on a scratch server
    │   └── Cancelled           somebody asked for it
    │       └── DaemonStopping      the daemon stopped in the middle of it
    ├── Exhausted               a bound was reached
    │   ├── TooManyRequests     as many calls are served as may be
    │   └── StorageFull         no room to write
    ├── Unavailable             try again later
    │   ├── DatabaseDown        the database does not answer
    │   │   └── DatabaseFull    it answers that all of its connections are taken
    │   ├── MigrationLockTimeout    a lock was not given in time
    │   ├── DatabaseBusy        every connection is taken
    │   ├── CircuitOpen         the database was found away, and is not asked for a while
    │   └── RepositoryDown      the repository does not answer
    │       └── RepositoryRefused   it answers, and refuses the daemon
    ├── Failed                  a tool or a promise failed
    │   ├── ToolFailed          a child process ended badly
    │   ├── StatementFailed     the server refused a statement of a plain dump
    │   ├── RestoreDiffers      what was restored is not what the backup holds
    │   ├── ToolMissing         no client tool that fits the server
    │   ├── MigrationFailed     a statement of it failed
    │   ├── MigrationNotVerified    what it was to bring about is not so
    │   ├── BatchesLeft         some batches could not be done; the others are
    │   └── Corrupt             what was read is not what was written
    │       └── DocumentTooNew      a newer version of steward wrote it
    ├── NotServed               the contract has it, this daemon does not
    └── ConfigurationError      the daemon cannot start like this

Each class carries a stable UPPER_SNAKE `reason`, and a hint that says what to do next. A message is lower case,
without a full stop, names the thing and never holds a cell's value or a secret. Bad rows are data, not errors.
"""

from stewardd.errors.backup import *
from stewardd.errors.calls import *
from stewardd.errors.configuration import *
from stewardd.errors.databases import *
from stewardd.errors.kinds import *
from stewardd.errors.migrations import *
from stewardd.errors.operations import *
from stewardd.errors.quarantine import *
from stewardd.errors.repository import *
from stewardd.errors.restore import *
from stewardd.errors.validation import *
