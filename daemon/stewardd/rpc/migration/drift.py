"""Drift as messages of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steward.v1 import migration_pb2 as pb

from stewardd.migrations.drift import DRIFT_PROGRESS, DRIFT_RESULT, DriftDifference
from stewardd.operations.state import OperationState
from stewardd.rpc import names
from stewardd.rpc.times import timestamp


def drift_metadata(state: OperationState) -> pb.DetectDriftMetadata:
    """Returns how far the detection has come. Raises: Corrupt."""
    progress = DRIFT_PROGRESS.from_json(state.metadata, names.operation(state.id))
    return pb.DetectDriftMetadata(
        database=names.database(progress.database),
        server_major=progress.major,
        migration=progress.migration,
        done_count=progress.done_count,
        total_count=progress.total_count,
        create_time=timestamp(state.create_time),
    )


def drift_response(state: OperationState, response: Mapping[str, Any]) -> pb.DetectDriftResponse:
    """Returns what the detection found. Raises: Corrupt."""
    result = DRIFT_RESULT.from_json(response, names.operation(state.id))
    return pb.DetectDriftResponse(
        database=names.database(result.database),
        version=result.version,
        server_version=result.server_version,
        scratch_version=result.scratch_version,
        difference_count=result.difference_count,
        ignored_count=result.ignored_count,
        differences=map(_difference, result.differences),
        script=result.script,
    )


def _difference(difference: DriftDifference) -> pb.DetectDriftResponse.Difference:
    return pb.DetectDriftResponse.Difference(
        kind=difference.kind,
        name=difference.name,
        property=difference.property,
        wanted=difference.wanted,
        found=difference.found,
        text=difference.text,
        mending=difference.mending,
    )
