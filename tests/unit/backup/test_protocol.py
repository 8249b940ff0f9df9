"""The worker's words survive the way to the daemon, secrets excepted, which must not be shown."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from stewardd import errors
from stewardd.backup.making.protocol import (
    MESSAGES,
    DumpJob,
    DumpProgress,
    DumpStarted,
    DumpStored,
    LockWaiterFound,
    ToolOutput,
)
from stewardd.backup.manifest.backup import (
    USUAL_COMPRESSION,
    DumpForm,
    Extension,
    Globals,
    ProofMode,
    Segment,
    Source,
    StoredContents,
    StoredObject,
    Timings,
)
from stewardd.backup.worker.failure import error_of, failure_of
from stewardd.postgres.dump_catalog import Choice, TableName

JOB = DumpJob(
    daemon_pid=1,
    database="main",
    conninfo="host=x password=hunter2",
    pg_dump="/bin/pg_dump",
    pg_dumpall="/bin/pg_dumpall",
    psql="/bin/psql",
    store_url="/repo",
    store_options={},
    folder="backups/d/i",
    staging="/scratch/backup",
    segment_bytes=1,
    form=DumpForm.DIRECTORY,
    may_stream=True,
    jobs=2,
    compression=USUAL_COMPRESSION,
    recipients=("age1x",),
    choice=Choice(("a",), (), (TableName("a", 'b"c'),), ()),
    proof=ProofMode.COUNT,
    with_globals=True,
    reserve_bytes=0,
    max_duration_s=1.0,
    lock_timeout_s=1.0,
    max_bytes_per_second=0,
    niceness=5,
)


def test_a_job_arrives_as_it_was_sent_and_shows_no_secret():
    assert MESSAGES.decode_job(MESSAGES.encode_job(JOB)) == JOB
    assert MESSAGES.encode_job(JOB).count(b"\n") == 1
    assert "hunter2" not in repr(JOB)


@pytest.mark.parametrize(
    "event",
    [
        DumpStarted(datetime(2026, 11, 23, 18, 0, 0, 5, UTC), "18.6", 7, 3),
        DumpProgress(1, 2, 3, 4, 5, 6.5),
        LockWaiterFound("somebody waits"),
        ToolOutput("one\ntwo"),
        DumpStored(DumpForm.CUSTOM, 3, "a" * 64, (Segment("segment-000000", 1, "b" * 64),)),
        DumpStored(
            DumpForm.DIRECTORY,
            3,
            None,
            (Segment("segment-000000", 1, "b" * 64),),
            contents=StoredContents(9, "c" * 64, 1, 2, 3),
            schema_sha256="d" * 64,
            source=Source("UTF8", "icu", "C", "C", "de", True, 0, "1-2", (Extension("x", "1"),)),
            globals=Globals.COMPLETE,
            globals_object=StoredObject(5, "e" * 64),
            timings=Timings(1.0, 2.0, 3.0),
        ),
    ],
)
def test_an_event_arrives_as_it_was_sent(event):
    assert MESSAGES.decode_event(MESSAGES.encode_event(event)) == event


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b"{}", b'{"event": "Other"}', b'{"event": "DumpProgress", "x": 1}']
)
def test_what_is_no_event_is_refused(line):
    with pytest.raises(ValueError):
        MESSAGES.decode_event(line)


def all_errors(
    cls: type[errors.StewardError] = errors.StewardError,
) -> list[type[errors.StewardError]]:
    return [cls, *(found for child in cls.__subclasses__() for found in all_errors(child))]


@pytest.mark.parametrize(
    "cls", [cls for cls in all_errors() if cls.__module__.startswith("stewardd.errors.")]
)
def test_an_error_is_raised_here_as_it_was_raised_there(cls):
    error = cls("it broke", hint="mend it", metadata={"signal": "SIGKILL"})
    event = MESSAGES.decode_event(MESSAGES.encode_event(failure_of(error)))
    revived = error_of(event)  # type: ignore[arg-type]
    assert type(revived) is cls
    assert (revived.message, revived.hint, revived.metadata) == (
        error.message,
        error.hint,
        error.metadata,
    )
