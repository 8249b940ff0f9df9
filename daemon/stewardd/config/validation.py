"""The section `validation`: the schemas, the places that files are read from, and the bounds of a batch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from stewardd.config.section import Section
from stewardd.config.values import GIB, KIB, MIB, Count, Location, Seconds


class ValidationSettings(Section):
    """What files may be, and how much of them is held at once."""

    schema_dirs: tuple[Path, ...] = ()
    """folders with <kind>/<name>/<version>.json, beside the schemas that come with steward"""

    uri_roots: tuple[Location, ...] = ()
    """folders, or s3://… az://… gs://… prefixes, below which ValidateBatch may read a uri; none: no uri is read. Names
    are percent-encoded; what is no escape may stand as it is, but for ? and #"""

    max_upload_bytes: Count = 64 * GIB
    """the largest file, as sent"""

    max_waiting_bytes: Count = 8 * MIB
    """what a batch may have received and not judged yet, or one chunk"""

    max_decompressed_bytes: Count = 256 * GIB
    """the largest file, once decompressed"""

    max_output_bytes: Count = 512 * GIB
    """the most that a batch writes: its quarantine, and its valid rows where kept"""

    max_expansion: Count = 1000
    """how many times its size as sent a file may become, decompressed or as what a batch writes; it counts beyond
    `expansion_free_bytes` only"""

    expansion_free_bytes: Count = 64 * MIB
    """so much may come of any file, however small it is"""

    max_record_bytes: Count = MIB
    """a longer record is quarantined by its beginning"""

    max_record_lines: Count = 10_000
    """a quote that spans more lines never closed"""

    max_fields: Count = 4096
    """the most columns of a header or cells of a record"""

    max_header_bytes: Count = 64 * KIB
    """the longest header"""

    max_field_bytes: Count = 256 * KIB
    """a row with a longer cell is quarantined"""

    max_json_depth: Annotated[int, Field(ge=1, le=128)] = 128
    """how deep JSON in a cell may be nested"""

    max_errors_per_record: Count = 100
    """errors that are told of one row; more are counted"""

    idle_timeout_s: Seconds = 120.0
    """an upload that sends nothing for so long is ended"""

    max_upload_s: Seconds = 6 * 3600.0
    """an upload that takes longer is ended, however slowly it comes"""
