"""The section `validation`: the schemas, the places that files are read from, and the bounds of a batch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

import fastcsv
from stewardd.config.section import Section
from stewardd.config.values import GIB, MIB, Count, Location, Seconds

# The engine defines its bounds and their defaults; a setting has another default only for a reason of the daemon's own.
ENGINE = fastcsv.Options()


class ValidationSettings(Section):
    """What files may be, and how much of them is held at once."""

    schema_dirs: tuple[Path, ...] = ()
    """folders with <kind>/<name>/<version>.json, beside the schemas that come with steward"""

    uri_roots: tuple[Location, ...] = ()
    """folders, or s3://… az://… gs://… prefixes, below which ValidateBatch may read a uri; none: no uri is read. In
    a uri, the characters ?, # and % of a name must be percent-encoded, and others may be"""

    max_upload_bytes: Count = 64 * GIB
    """the largest file, as sent"""

    max_waiting_bytes: Count = 8 * MIB
    """bytes of a batch that may wait to be validated; one chunk may always wait"""

    max_decompressed_bytes: Count = ENGINE.max_decompressed_bytes
    """the largest file after decompression"""

    max_output_bytes: Count = ENGINE.max_output_bytes
    """the most that a batch writes: its quarantined rows, and its valid rows where they are kept"""

    max_expansion: Count = ENGINE.max_expansion
    """how many times larger than sent a file may become, decompressed or as the output of its batch; below
    `expansion_free_bytes` it does not count"""

    expansion_free_bytes: Count = ENGINE.expansion_free_bytes
    """every file may grow to this size, however small it was as sent"""

    max_record_bytes: Count = ENGINE.max_record_bytes
    """a longer record is quarantined, and only its beginning is kept"""

    max_record_lines: Count = ENGINE.max_record_lines
    """a quoted cell that spans more lines counts as never closed"""

    max_fields: Count = ENGINE.max_fields
    """the most columns of a header, and the most cells of a record"""

    max_header_bytes: Count = ENGINE.max_header_bytes
    """the longest header"""

    max_field_bytes: Count = ENGINE.max_field_bytes
    """a row with a longer cell is quarantined"""

    max_json_depth: Annotated[int, Field(ge=1, le=128)] = ENGINE.max_json_depth
    """how deep JSON in a cell may be nested"""

    max_errors_per_record: Count = ENGINE.max_errors_per_record
    """errors that are reported for one row; more are only counted"""

    max_payload_bytes: Count = MIB
    """a larger JSON payload is invalid, and so is a longer line of a JSON Lines file"""

    max_payload_depth: Annotated[int, Field(ge=1, le=120)] = 64
    """how deep a JSON payload may be nested"""

    idle_timeout_s: Seconds = 120.0
    """an upload that sends no data for this long is ended"""

    max_upload_s: Seconds = 6 * 3600.0
    """an upload that takes longer is ended, even while data still arrives"""

    def payload_bounds(self) -> dict[str, int]:
        """Returns the bounds of one payload, as fastcsv.validate_payload takes them."""
        return {
            "max_payload_bytes": self.max_payload_bytes,
            "max_depth": self.max_payload_depth,
            "max_violations": self.max_errors_per_record,
        }

    def detection_bounds(self) -> dict[str, int]:
        """Returns the bounds of a payload, as fastcsv.detect_payload takes them."""
        return {"max_payload_bytes": self.max_payload_bytes, "max_depth": self.max_payload_depth}

    def payload_options(self, **more: Any) -> fastcsv.PayloadOptions:
        """Returns the engine's options with the bounds of a payload, and whatever else is given for a whole file."""
        return fastcsv.PayloadOptions(
            max_payload_bytes=self.max_payload_bytes,
            max_depth=self.max_payload_depth,
            max_errors_per_record=self.max_errors_per_record,
            **more,
        )

    def engine_options(self, **more: Any) -> fastcsv.Options:
        """Returns the engine's options with the bounds of a record, and whatever else is given for a whole file."""
        return fastcsv.Options(
            max_record_bytes=self.max_record_bytes,
            max_record_lines=self.max_record_lines,
            max_fields=self.max_fields,
            max_header_bytes=self.max_header_bytes,
            max_field_bytes=self.max_field_bytes,
            max_json_depth=self.max_json_depth,
            max_errors_per_record=self.max_errors_per_record,
            **more,
        )
