"""Retention over gRPC: states of backups, plans and prunings, as messages of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steward.v1 import backup_pb2 as pb

from stewardd.backup.listing import BackupFilter
from stewardd.backup.prune_operation import PRUNE_PROGRESS, PRUNE_RESPONSE
from stewardd.backup.pruning import DatabasePlan
from stewardd.backup.repositories import RepositoryName
from stewardd.backup.retention.policy import Counting, RetentionPolicy
from stewardd.errors import InvalidRequest
from stewardd.operations.state import OperationState
from stewardd.rpc import names
from stewardd.rpc.pages import last_name_of, page_size_of, token_after
from stewardd.rpc.times import duration, timestamp

_REPOSITORIES = {
    RepositoryName.FIRST: pb.BACKUP_REPOSITORY_FIRST,
    RepositoryName.SECOND: pb.BACKUP_REPOSITORY_SECOND,
}


def backup_filter_of(request: pb.ListBackupsRequest) -> BackupFilter:
    """Returns which backups are wanted. Raises: InvalidRequest."""
    if request.state not in pb.Backup.State.values():
        raise InvalidRequest(f"{request.state} is no state of a backup", field="state")
    database = names.word_of(request.database, field="database")
    return BackupFilter(database, deleted=request.state == pb.Backup.STATE_DELETED)


def repository_of(value: pb.BackupRepository.ValueType) -> RepositoryName:
    """Returns which repository is meant. Raises: InvalidRequest for what only a newer daemon knows."""
    if value == pb.BACKUP_REPOSITORY_UNSPECIFIED:
        return RepositoryName.FIRST
    for name, number in _REPOSITORIES.items():
        if number == value:
            return name
    raise InvalidRequest(
        f"this daemon knows no repository of the number {value}", field="repository"
    )


def plan_message(
    found: DatabasePlan, repository: RepositoryName, request: pb.GetRetentionPlanRequest
) -> pb.RetentionPlan:
    """Returns a page of a plan. Raises: InvalidRequest for a token of another listing."""
    listing = f"plan:{repository.value}:{found.database}"
    last = last_name_of(listing, request.page_token)
    size = page_size_of(request.page_size)
    verdicts = found.plan.verdicts
    places = {each.backup_id: place for place, each in enumerate(verdicts)}
    if last and last not in places:
        raise InvalidRequest("the plan has changed; begin with its first page", field="page_token")
    start = places[last] + 1 if last else 0
    page = verdicts[start : start + size]
    more = start + size < len(verdicts)
    facts = {each.backup_id: each.facts for each in found.backups}
    going = len(found.plan.going)
    return pb.RetentionPlan(
        database=found.database,
        repository=_REPOSITORIES[repository],
        policy=_policy_message(found.policy),
        plan_time=timestamp(found.made_at),
        halted=found.plan.halted,
        kept_count=len(verdicts) - going,
        going_count=going,
        verdicts=[
            pb.RetentionPlan.Verdict(
                backup=names.backup(each.backup_id),
                snapshot_time=timestamp(facts[each.backup_id].snapshot_time),
                stored_size_bytes=facts[each.backup_id].stored_size_bytes,
                keep=each.keeps,
                reason=each.reason.value,
                explanation=each.explanation,
            )
            for each in page
        ],
        next_page_token=token_after(listing, page[-1].backup_id) if more else "",
    )


def prune_metadata(state: OperationState) -> pb.PruneBackupsMetadata:
    """Returns how far a pruning has come. Raises: Corrupt."""
    progress = PRUNE_PROGRESS.from_json(state.metadata, names.operation(state.id))
    return pb.PruneBackupsMetadata(
        database=progress.database,
        deleted_count=progress.deleted,
        create_time=timestamp(state.create_time),
        repository=_REPOSITORIES[progress.repository],
    )


def prune_response(state: OperationState, response: Mapping[str, Any]) -> pb.PruneBackupsResponse:
    """Returns what a pruning came to. Raises: Corrupt."""
    found = PRUNE_RESPONSE.from_json(response, names.operation(state.id))
    return pb.PruneBackupsResponse(
        deleted_count=found.deleted,
        kept_count=found.kept,
        deleted=[names.backup(each) for each in found.backups],
        halted_databases=found.halted,
    )


def _policy_message(policy: RetentionPolicy) -> pb.RetentionPolicy:
    return pb.RetentionPolicy(
        window=duration(policy.window.total_seconds()),
        min_keep=policy.min_keep,
        counts_complete=policy.counting is Counting.COMPLETE,
        keep_daily=policy.daily,
        keep_weekly=policy.weekly,
        keep_monthly=policy.monthly,
        keep_yearly=policy.yearly,
        grace=duration(policy.grace.total_seconds()),
    )
