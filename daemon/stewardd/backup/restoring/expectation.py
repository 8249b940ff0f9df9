"""What must be there after a restore: of what was recorded, that which the restore brings back. Pure.

A restore of the whole is compared as a verification compares it. Of a part only that is expected which the chosen
entries of the dump make: a table that others need comes along without its rows and rights. Where the restore puts other
roles in the place of those of the dump, or leaves them out, the grants that are expected change with them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from stewardd.backup.manifest.backup import BackupManifest
from stewardd.backup.manifest.contents import BackupContents
from stewardd.backup.restoring.request import RestoreRequest, RestoreRoles
from stewardd.backup.restoring.selection import ChosenEntries
from stewardd.backup.restoring.table_of_contents import TocEntry
from stewardd.backup.verifying.comparing import OF_A_TABLE, Expected, expected_of
from stewardd.backup.verifying.grants import with_other_roles
from stewardd.postgres.catalogue.identifiers import plain_parts
from stewardd.postgres.catalogue.reading import DatabaseCatalogue
from stewardd.postgres.dump_catalog import TableName

_SCHEMA = "SCHEMA"
_SEQUENCE = "SEQUENCE"
_SEQUENCE_SET = "SEQUENCE SET"
# What a chosen schema holds beside tables and what belongs to them.
_OF_A_SCHEMA = frozenset({"view", "function", "type", "statistics"})
# What is an entry of its own, by its kind in the catalogue. Its name there is "table name", an index's its own.
_ENTRIES = {
    "CONSTRAINT": "constraint",
    "FK CONSTRAINT": "constraint",
    "CHECK CONSTRAINT": "constraint",
    "TRIGGER": "trigger",
    "RULE": "rule",
    "POLICY": "policy",
    "INDEX": "index",
}


def expected_after(
    manifest: BackupManifest,
    contents: BackupContents,
    entries: Sequence[TocEntry],
    chosen: ChosenEntries,
    request: RestoreRequest,
    *,
    is_added: bool,
) -> Expected:
    """What a restore of the chosen entries must bring back; `is_added` where its target was there before."""
    expected = replace(expected_of(manifest, contents), is_added=is_added)
    if not (request.selection.is_whole and manifest.selection.is_whole):
        expected = _of_part(expected, entries, chosen, request)
    elif is_added and expected.catalogue is not None:
        expected = replace(expected, catalogue=_dumped_schemas(expected.catalogue, entries))
    if request.roles is RestoreRoles.IGNORE:
        return replace(expected, with_grants=False)
    return _with_roles(expected, request.role_map, frozenset(contents.roles))


def _of_part(
    expected: Expected,
    entries: Sequence[TocEntry],
    chosen: ChosenEntries,
    request: RestoreRequest,
) -> Expected:
    catalogue = expected.catalogue
    if catalogue is not None:
        left = {each.number: each for each in entries}
        for each in chosen.entries:
            left.pop(each.number, None)
        catalogue = _part(catalogue, request, chosen, tuple(left.values()))
    placed = _names(chosen, _SEQUENCE_SET)
    return replace(
        expected,
        tables={name: each for name, each in expected.tables.items() if name in chosen.tables},
        sequences=tuple(
            each for each in expected.sequences if TableName(each.schema, each.name) in placed
        ),
        large_objects=None,
        extensions=(),
        catalogue=catalogue,
        may_lack_sequences=False,
    )


def _part(
    catalogue: DatabaseCatalogue,
    request: RestoreRequest,
    chosen: ChosenEntries,
    left: Sequence[TocEntry],
) -> DatabaseCatalogue:
    schemas = frozenset(request.selection.schemas)
    made = {each.name for each in chosen.entries if each.kind == _SCHEMA} & schemas
    tables = chosen.tables | set(request.tables)
    sequences = _names(chosen, _SEQUENCE)
    not_made = {
        (_ENTRIES[each.kind], each.schema, each.name) for each in left if each.kind in _ENTRIES
    }

    def is_made(kind: str, name: str) -> bool:
        schema, *own = plain_parts(name)
        if not own:
            return kind == "schema" and schema in made
        entry = own[-1] if kind == "index" else " ".join(own)
        if (kind, schema, entry) in not_made:
            return False
        if kind == "table" or kind in OF_A_TABLE:
            return schema in schemas or TableName(schema, own[0]) in tables
        if kind == "sequence":
            return schema in schemas or TableName(schema, own[0]) in sequences
        return kind in _OF_A_SCHEMA and schema in schemas

    kept = {key: has for key, has in catalogue.objects.items() if is_made(*key)}
    return DatabaseCatalogue(catalogue.major, kept)


def _names(chosen: ChosenEntries, kind: str) -> AbstractSet[TableName]:
    return {TableName(each.schema, each.name) for each in chosen.entries if each.kind == kind}


def _dumped_schemas(catalogue: DatabaseCatalogue, entries: Sequence[TocEntry]) -> DatabaseCatalogue:
    """Without the schemas that the dump does not name: `public`, where it is as a new database has it."""
    named = {each.name.removeprefix(f"{_SCHEMA} ") for each in entries if not each.schema}
    kept = {
        (kind, name): has
        for (kind, name), has in catalogue.objects.items()
        if kind != "schema" or plain_parts(name)[0] in named
    }
    return DatabaseCatalogue(catalogue.major, kept)


def _with_roles(expected: Expected, roles: Mapping[str, str], dumped: AbstractSet[str]) -> Expected:
    """With other roles in their places.

    A role that takes the place of two, or that the dump names as well, may own what was granted to it, and an owner's
    rights are not among the grants: those of such a role are not compared.
    """
    if not roles or expected.catalogue is None:
        return expected
    taken = Counter(roles.values())
    others = {role for role in taken if taken[role] > 1 or role in dumped - roles.keys()}
    return replace(
        expected,
        catalogue=with_other_roles(expected.catalogue, roles),
        other_grantees=frozenset(others),
    )
