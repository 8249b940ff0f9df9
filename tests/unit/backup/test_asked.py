"""What a request asks for: names are read exactly, and another wish is another request."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stewardd.backup.asked import BackupAsked, plan_backup, read_table_name
from stewardd.backup.keys.keyring import KeyOptions, open_keyring
from stewardd.backup.manifest.backup import (
    Compression,
    CompressionMethod,
    DumpForm,
    ProofMode,
    select,
)
from stewardd.backup.options import BackupOptions
from stewardd.errors import InvalidRequest
from stewardd.postgres.dump_catalog import TableName

NAMES = st.text(min_size=1).filter(lambda text: "\0" not in text)


@given(NAMES, NAMES)
def test_a_table_in_quotes_is_read_as_sql_reads_it(schema, name):
    table = TableName(schema, name)
    assert read_table_name(str(table), "tables") == table


@pytest.mark.parametrize(
    ("text", "schema", "name"),
    [
        ("public.People", "public", "People"),
        ('public."a.b"', "public", "a.b"),
        ('"a""b".c d', 'a"b', "c d"),
        ("ä.50%", "ä", "50%"),
    ],
)
def test_what_stands_outside_of_quotes_is_meant_as_it_stands(text, schema, name):
    assert read_table_name(text, "tables") == TableName(schema, name)


@pytest.mark.parametrize(
    "text", ["", "people", ".", "a.", ".b", "a.b.c", '"a.b', 'a."b', '"a"b.c', '"a".""']
)
def test_what_is_no_table_is_refused(text):
    with pytest.raises(InvalidRequest, match=r"SCHEMA\.TABLE"):
        read_table_name(text, "tables")


def test_every_option_makes_another_request_and_none_makes_the_plain_one():
    changes: dict[str, object] = {
        "selection": select(tables=("public.a",)),
        "form": DumpForm.DIRECTORY,
        "jobs": 3,
        "compression": CompressionMethod.GZIP,
        "compression_level": 2,
        "proof": ProofMode.NONE,
        "recipients": ("age1x",),
        "with_globals": False,
        "lock_timeout_s": 1.0,
        "max_duration_s": 2.0,
        "max_bytes_per_second": 1 << 20,
    }
    assert changes.keys() == BackupAsked.__dataclass_fields__.keys()
    plain = BackupAsked()
    assert plain.fingerprint == {}
    prints = [
        json.dumps(replace(plain, **{name: value}).fingerprint, sort_keys=True)  # type: ignore[arg-type]
        for name, value in changes.items()
    ]
    assert len({*prints, "{}"}) == len(changes) + 1
    selections = [
        select(schemas=("a",)),
        select(exclude_schemas=("a",)),
        select(schemas=("a", "b")),
    ]
    assert len({str(replace(plain, selection=each).fingerprint) for each in selections}) == 3


def test_what_is_left_out_is_as_configured(folder):
    keyring = open_keyring(KeyOptions(folder / "keys"))
    options = BackupOptions("/nowhere", form=DumpForm.DIRECTORY, jobs=5)
    plan = plan_backup(BackupAsked(), options, keyring)
    assert (plan.form, plan.jobs, plan.proof, plan.recipients) == (
        DumpForm.DIRECTORY,
        5,
        ProofMode.HASH,
        keyring.recipients,
    )
    other = plan_backup(BackupAsked(compression=CompressionMethod.GZIP), options, keyring)
    assert other.compression == Compression(CompressionMethod.GZIP, 6)
    stream = plan_backup(BackupAsked(form=DumpForm.CUSTOM), options, keyring)
    assert stream.jobs == 1


@pytest.mark.parametrize(
    ("asked", "configured", "form", "may_stream"),
    [
        (BackupAsked(), None, DumpForm.DIRECTORY, True),
        (BackupAsked(), DumpForm.DIRECTORY, DumpForm.DIRECTORY, False),
        (BackupAsked(), DumpForm.CUSTOM, DumpForm.CUSTOM, False),
        (BackupAsked(form=DumpForm.DIRECTORY), None, DumpForm.DIRECTORY, False),
        (BackupAsked(form=DumpForm.CUSTOM), DumpForm.DIRECTORY, DumpForm.CUSTOM, False),
        (BackupAsked(jobs=2), None, DumpForm.DIRECTORY, False),
        (BackupAsked(jobs=1), None, DumpForm.DIRECTORY, True),
    ],
)
def test_only_a_form_that_nobody_named_may_become_another(
    folder, asked, configured, form, may_stream
):
    keyring = open_keyring(KeyOptions(folder / "keys"))
    plan = plan_backup(asked, BackupOptions("/nowhere", form=configured), keyring)
    assert (plan.form, plan.may_stream) == (form, may_stream)


def test_a_request_may_ask_for_less_bandwidth_than_is_configured_and_not_for_more(folder):
    keyring = open_keyring(KeyOptions(folder / "keys"))
    free = BackupOptions("/nowhere")
    bound = BackupOptions("/nowhere", max_bytes_per_second=1 << 20)
    less, more = (
        BackupAsked(max_bytes_per_second=1 << 19),
        BackupAsked(max_bytes_per_second=1 << 21),
    )
    assert plan_backup(BackupAsked(), free, keyring).max_bytes_per_second == 0
    assert plan_backup(BackupAsked(), bound, keyring).max_bytes_per_second == 1 << 20
    assert plan_backup(less, bound, keyring).max_bytes_per_second == 1 << 19
    assert plan_backup(more, free, keyring).max_bytes_per_second == 1 << 21
    with pytest.raises(InvalidRequest, match="at most 1048576"):
        plan_backup(more, bound, keyring)
