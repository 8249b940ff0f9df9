"""Resource names (AIP-122), written and read, and the other short texts of requests.

A name that is not of its form is INVALID_ARGUMENT, with an example of the form (`_malformed`).
"""

from __future__ import annotations

import re
from functools import lru_cache

from stewardd.errors import InvalidRequest
from stewardd.schemas.names import NAME, VERSION

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
SCHEDULE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
ROW_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
BATCH_FILES = ("records.jsonl", "errors.csv", "report.json", "valid.csv", "valid.jsonl")
MAX_WORD = 1024
MAX_ACTOR = 256
MAX_REQUEST_ID = 128
_EXAMPLE_ID = "0197c5d2-8a4b-7c31-9e0f-2b6d5a81c3f4"


def batch(identifier: str) -> str:
    """Returns `batches/{batch}`."""
    return f"batches/{identifier}"


def batch_file(identifier: str, file: str) -> str:
    """Returns `batches/{batch}/files/{file}`."""
    return f"batches/{identifier}/files/{file}"


def row(identifier: str, row_number: int) -> str:
    """Returns `batches/{batch}/rows/{row_number}`."""
    return f"batches/{identifier}/rows/{row_number}"


def export(batch_id: str, identifier: str) -> str:
    """Returns `batches/{batch}/exports/{export}`."""
    return f"batches/{batch_id}/exports/{identifier}"


def backup(identifier: str) -> str:
    """Returns `backups/{backup}`."""
    return f"backups/{identifier}"


def drill(identifier: str) -> str:
    """Returns `drills/{drill}`."""
    return f"drills/{identifier}"


def database(name: str) -> str:
    """Returns `databases/{database}`."""
    return f"databases/{name}"


def migration(database_name: str, label: str) -> str:
    """Returns `databases/{database}/migrations/{migration}`."""
    return f"databases/{database_name}/migrations/{label}"


def operation(identifier: str) -> str:
    """Returns `operations/{operation}`."""
    return f"operations/{identifier}"


def schedule(name: str) -> str:
    """Returns `schedules/{schedule}`."""
    return f"schedules/{name}"


def schema(name: str, version: str) -> str:
    """Returns `schemas/{schema}/versions/{version}`."""
    return f"schemas/{name}/versions/{version}"


def parse_uuid(kind: str, name: str, *, field: str = "name") -> str:
    """Returns the id of `{kind}/{uuid}`."""
    head, _, identifier = name.partition("/")
    if head != kind or not UUID.fullmatch(identifier):
        raise _malformed(field, f"{kind}/{{id}}", f"{kind}/{_EXAMPLE_ID}")
    return identifier


def parse_migration(name: str) -> tuple[str, str]:
    """Returns the database's name and the migration's of `databases/{database}/migrations/{migration}`."""
    parts = name.split("/")
    if len(parts) != 4 or parts[::2] != ["databases", "migrations"] or "" in parts:
        raise _malformed(
            "name",
            "databases/{database}/migrations/{migration}",
            "databases/main/migrations/0004_deduplication",
        )
    return parts[1], parts[3]


def parse_database(name: str, *, field: str = "name") -> str:
    """Returns the configured name of `databases/{database}`."""
    head, _, parsed = name.partition("/")
    if head != "databases" or not parsed or "/" in parsed:
        raise _malformed(field, "databases/{database}", "databases/main")
    return parsed


def parse_schedule(name: str, *, field: str = "name") -> str:
    """Returns the name of `schedules/{schedule}`."""
    head, _, parsed = name.partition("/")
    if head != "schedules" or not SCHEDULE.fullmatch(parsed):
        raise _malformed(field, "schedules/{schedule}", "schedules/nightly")
    return parsed


def parse_batch_file(name: str) -> tuple[str, str]:
    """Returns the batch's id and the file of `batches/{batch}/files/{file}`."""
    parts = name.split("/")
    if not _is_of_batch(parts, "files") or parts[3] not in BATCH_FILES:
        raise _malformed(
            "name",
            f"batches/{{id}}/files/{'|'.join(BATCH_FILES)}",
            f"batches/{_EXAMPLE_ID}/files/{BATCH_FILES[1]}",
        )
    return parts[1], parts[3]


def parse_row(name: str) -> tuple[str, int]:
    """Returns the batch's id and the number of `batches/{batch}/rows/{row_number}`."""
    parts = name.split("/")
    if not _is_of_batch(parts, "rows") or not ROW_NUMBER.fullmatch(parts[3]):
        raise _malformed("name", "batches/{id}/rows/{row_number}", f"batches/{_EXAMPLE_ID}/rows/7")
    return parts[1], int(parts[3])


def parse_export(name: str) -> tuple[str, str | None]:
    """Returns the batch's id and the export's of `batches/{batch}/exports/{export}`, or None of `batches/{batch}`."""
    parts = name.split("/")
    if len(parts) == 2 and parts[0] == "batches" and UUID.fullmatch(parts[1]):
        return parts[1], None
    if not _is_of_batch(parts, "exports") or not UUID.fullmatch(parts[3]):
        raise _malformed(
            "name", "batches/{id}/exports/{id}", f"batches/{_EXAMPLE_ID}/exports/{_EXAMPLE_ID}"
        )
    return parts[1], parts[3]


def parse_batch_parent(parent: str) -> str | None:
    """Returns the id of `batches/{batch}`, or None of `batches/-`, which stands for all of them (AIP-159)."""
    return None if parent == "batches/-" else parse_uuid("batches", parent, field="parent")


def parse_schema(name: str, *, field: str = "name") -> tuple[str, str | None]:
    """Returns name and version of `schemas/{schema}/versions/{version}`, or name and None of `schemas/{schema}`."""
    parts = name.split("/")
    fits = len(parts) in (2, 4) and parts[0] == "schemas" and NAME.fullmatch(parts[1])
    if fits and len(parts) == 2:
        return parts[1], None
    if fits and parts[2] == "versions" and VERSION.fullmatch(parts[3]):
        return parts[1], parts[3]
    raise _malformed(
        field, "schemas/{schema}/versions/{version}", "schemas/language_session/versions/1.1"
    )


@lru_cache(maxsize=256)  # of the schemas that there are; an error is not kept
def parse_schema_id(name: str, *, field: str) -> str:
    """Returns the name of `schemas/{schema}`; a version is given beside it."""
    head, _, parsed = name.partition("/")
    if head != "schemas" or not NAME.fullmatch(parsed):
        raise _malformed(field, "schemas/{schema}", "schemas/language_session")
    return parsed


def request_id_of(text: str, *, field: str = "request_id") -> str:
    """Returns a request_id (AIP-155); "" where none is given. Raises: InvalidRequest for a long one."""
    return word_of(text, field=field, longest=MAX_REQUEST_ID)


def word_of(text: str, *, field: str, longest: int = MAX_WORD) -> str:
    """Returns a short text. Raises: InvalidRequest for a long one."""
    if len(text) > longest:
        raise InvalidRequest(f"{field} is longer than {longest} characters", field=field)
    return text


def actor_of(text: str) -> str:
    """Returns who asks, as the request says. It is not authenticated. Raises: InvalidRequest for a long one."""
    return word_of(text, field="actor", longest=MAX_ACTOR)


def _is_of_batch(parts: list[str], collection: str) -> bool:
    return (
        len(parts) == 4
        and parts[0] == "batches"
        and UUID.fullmatch(parts[1]) is not None
        and parts[2] == collection
    )


def _malformed(field: str, form: str, example: str) -> InvalidRequest:
    """What a name that does not parse is refused with."""
    return InvalidRequest(
        f"{field} is not of the form {form}, for example {example}",
        hint=f"give the whole name as a listing shows it, such as {example}",
        field=field,
    )
