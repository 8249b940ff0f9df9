"""The pages on the command and the SDK name all that there is."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import steward_client
from steward_client import AsyncClient, Client, errors
from steward_client.command.ending import Exit
from steward_client.command.file_validation import Outcome
from steward_client.command.root import root
from steward_client.health import types as health

DOCS = Path(__file__).parents[3] / "docs"
CLI = (DOCS / "cli.md").read_text()
SDK = (DOCS / "sdk.md").read_text()
SHAPES = dict(re.findall(r"^\| ([A-Z]{3,}) \| (.*) \|$", CLI, re.MULTILINE))


# What the command puts beside the members of the SDK's results.
BESIDE = {"ROW": {"raw_row_base64"}, "RESUBMITTED": {"dry_run"}}


def commands(group: click.Group = root, before: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def test_every_command_is_in_the_table():
    for name, _ in commands():
        assert f"| `steward {name}" in CLI, name


def test_every_option_is_named():
    for name, command in commands():
        for option in command.params:
            if isinstance(option, click.Option):
                assert f"`{option.opts[0]}" in CLI, f"{name} {option.opts[0]}"


def test_every_exit_code_is_told():
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", CLI, re.MULTILINE)}
    assert told == {int(code) for code in Exit}


@pytest.mark.parametrize(
    ("shape", "parts"),
    [
        ("OUTCOME", [Outcome]),
        ("BATCH", [steward_client.Batch, steward_client.BatchFile]),
        (
            "ROW",
            [
                steward_client.QuarantinedRow,
                steward_client.RowEvent,
                steward_client.Cell,
                steward_client.Violation,
            ],
        ),
        (
            "STATS",
            [steward_client.QuarantineStats, steward_client.TopValue, steward_client.Day],
        ),
        ("RESUBMITTED", [steward_client.Resubmitted, steward_client.DamagedCell]),
        ("DISCARDED", [steward_client.Discarded]),
        ("EXPORT", [steward_client.Export]),
        ("EXPORTED", [steward_client.ExportedFile]),
        ("RETRIED", [steward_client.Retried]),
        ("PURGED", [steward_client.Purged]),
        ("ERASED", [steward_client.ErasedSubject]),
        ("SCHEMA", [steward_client.Schema, steward_client.Column, steward_client.Member]),
        (
            "BACKUP",
            [
                steward_client.Backup,
                steward_client.Segment,
                steward_client.BackupSelection,
                steward_client.BackupSource,
            ],
        ),
        (
            "PLAN",
            [
                steward_client.RetentionPlan,
                steward_client.RetentionPolicy,
                steward_client.RetentionVerdict,
            ],
        ),
        ("PRUNED", [steward_client.Pruned]),
        ("REENCRYPTED", [steward_client.Reencrypted, steward_client.SkippedBackup]),
        ("SCHEDULE", [steward_client.Schedule, steward_client.ScheduleRun]),
        ("MIGRATIONS", [steward_client.MigrationStatus, steward_client.Migration]),
        (
            "MIGRATED",
            [
                steward_client.Migrated,
                steward_client.MigratedStep,
                steward_client.DryStatement,
                steward_client.DryLock,
            ],
        ),
        (
            "PROVED",
            [steward_client.Proved, steward_client.MigrationProof, steward_client.LostValues],
        ),
        ("DRIFT", [steward_client.Drift, steward_client.DriftDifference]),
        ("LINTED", [steward_client.Linted, steward_client.LintFinding]),
        ("DIAGRAM", [steward_client.Diagram]),
        (
            "RESTOREPLAN",
            [steward_client.RestorePlan, steward_client.RestoreBlocker, steward_client.DumpFile],
        ),
        ("RESTORED", [steward_client.Restored, steward_client.DumpFile]),
        ("COPY", [steward_client.BackupCopy]),
        (
            "VERIFIED",
            [
                steward_client.VerifiedBackup,
                steward_client.BackupVerification,
                steward_client.SourceCheck,
            ],
        ),
        ("DRILL", [steward_client.Drill, steward_client.BackupVerification]),
        ("KEYS", [steward_client.BackupKeys]),
        (
            "OPERATION",
            [
                steward_client.OperationState,
                steward_client.BackupProgress,
                steward_client.CopyProgress,
                steward_client.ImportProgress,
                steward_client.RestoreProgress,
                steward_client.PruneProgress,
                steward_client.ReencryptProgress,
                steward_client.VerifyProgress,
                steward_client.QuarantineProgress,
                steward_client.MigrateProgress,
                steward_client.ProveProgress,
                steward_client.DriftProgress,
                steward_client.LintProgress,
            ],
        ),
        (
            "DATABASE",
            [
                steward_client.Database,
                steward_client.DatabaseServer,
                steward_client.ConnectionPool,
                steward_client.ConnectionLeak,
                steward_client.CircuitBreaker,
            ],
        ),
        (
            "HEALTH",
            [
                steward_client.Health,
                steward_client.Component,
                health.DatabaseFacts,
                health.PoolFacts,
                health.RepositoryFacts,
                health.BackupFacts,
            ],
        ),
        ("ERROR", [errors.FieldViolation]),
    ],
)
def test_every_member_of_a_shape_is_named_and_no_other(shape, parts):
    there = {field.name for part in parts for field in dataclasses.fields(part)}
    if shape == "ERROR":
        there |= {
            "code",
            "reason",
            "message",
            "hint",
            "metadata",
            "retry_after_s",
            "field_violations",
        }
    told = set(re.findall(r"`([a-z_0-9]+)`", SHAPES[shape])) - BESIDE.get(shape, set())
    assert told == there


def test_every_method_and_public_name_is_in_the_page_of_the_sdk():
    for name in dir(Client):
        if not name.startswith("_"):
            assert f"`{name}(" in SDK, name
    for name in steward_client.__all__:
        assert name == "__version__" or re.search(rf"\b{name}\b", SDK), name
    assert AsyncClient.__name__ in SDK


def test_the_tree_of_errors_is_the_one_in_the_code():
    def drawn(text: str) -> list[str]:
        return re.findall(r"([│ ]*[├└]── \w+)", text)

    tree = re.search(r"StewardError\n(.*?)\n\n", errors.__doc__ or "", re.DOTALL)
    assert tree is not None
    assert drawn(SDK) == [line.removeprefix("    ") for line in drawn(tree[1])]
