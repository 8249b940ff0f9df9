"""Resource names (AIP-122): how they are written and read. A name that is not of its form is INVALID_ARGUMENT."""

from __future__ import annotations

import re

from stewardd.errors import InvalidRequest
from stewardd.schemas.names import NAME, VERSION

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
ROW_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
BATCH_FILES = ("records.jsonl", "errors.csv", "report.json", "valid.csv")


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


def operation(identifier: str) -> str:
    """Returns `operations/{operation}`."""
    return f"operations/{identifier}"


def schema(name: str, version: str) -> str:
    """Returns `schemas/{schema}/versions/{version}`."""
    return f"schemas/{name}/versions/{version}"


def parse_uuid(kind: str, name: str, *, field: str = "name") -> str:
    """Returns the id of `{kind}/{uuid}`."""
    head, _, identifier = name.partition("/")
    if head != kind or not UUID.fullmatch(identifier):
        raise InvalidRequest(f"{field} is not of the form {kind}/{{uuid}}", field=field)
    return identifier


def parse_batch_file(name: str) -> tuple[str, str]:
    """Returns the batch's id and the file of `batches/{batch}/files/{file}`."""
    parts = name.split("/")
    if len(parts) != 4 or parts[2] != "files" or parts[3] not in BATCH_FILES:
        files = ", ".join(BATCH_FILES)
        raise InvalidRequest(
            f"name is not of the form batches/{{uuid}}/files/{{file}} with one of {files}",
            field="name",
        )
    return parse_uuid("batches", "/".join(parts[:2])), parts[3]


def parse_row(name: str) -> tuple[str, int]:
    """Returns the batch's id and the number of `batches/{batch}/rows/{row_number}`."""
    parts = name.split("/")
    if len(parts) != 4 or parts[2] != "rows" or not ROW_NUMBER.fullmatch(parts[3]):
        raise InvalidRequest(
            "name is not of the form batches/{uuid}/rows/{row_number}", field="name"
        )
    return parse_uuid("batches", "/".join(parts[:2])), int(parts[3])


def parse_export(name: str) -> tuple[str, str | None]:
    """Returns the batch's id and the export's of `batches/{batch}/exports/{export}`, or None of `batches/{batch}`."""
    parts = name.split("/")
    if len(parts) == 2:
        return parse_uuid("batches", name), None
    if len(parts) != 4 or parts[2] != "exports" or not UUID.fullmatch(parts[3]):
        raise InvalidRequest(
            "name is not of the form batches/{uuid}[/exports/{uuid}]", field="name"
        )
    return parse_uuid("batches", "/".join(parts[:2])), parts[3]


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
    raise InvalidRequest(
        f"{field} is not of the form schemas/{{schema}}[/versions/{{version}}]", field=field
    )


def parse_schema_id(name: str, *, field: str) -> str:
    """Returns the name of `schemas/{schema}`."""
    parsed, version = parse_schema(name, field=field)
    if version is not None:
        raise InvalidRequest(
            f"{field} is not of the form schemas/{{schema}}; pin the version beside it", field=field
        )
    return parsed
