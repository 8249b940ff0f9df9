"""Compares a restored database with what was recorded when its backup was made. Pure.

Rows are compared by count and hash. A sequence must stand where it stood before and after the dump, or between the two
where it moved meanwhile. Of the catalogue everything is compared that a dump holds; what PostgreSQL spells otherwise
after a restore is no difference: casts and brackets of an expression, and what another major version prints anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stewardd.backup.manifest.backup import BackupManifest
from stewardd.backup.manifest.contents import BackupContents, SequenceContents
from stewardd.postgres.catalogue.comparing import CatalogueDifference, compare
from stewardd.postgres.catalogue.reading import DatabaseCatalogue
from stewardd.postgres.dump_catalog import TableName
from stewardd.postgres.restored import RestoredDatabase
from stewardd.postgres.table_proof import METHOD, SequenceValue, TableProof

_OF_A_TABLE = frozenset({"column", "constraint", "index", "trigger", "rule", "policy"})
# A dump holds neither: an extension is made in its newest version, and the triggers of a foreign key are made enabled.
_NOT_DUMPED = {("extension", "version"), ("constraint", "enabled")}
_LITERAL = re.compile(r"('(?:[^']|'')*')")
_CAST = re.compile(
    r"::(?:character varying|double precision|bit varying|time(?:stamp)? with(?:out)? time zone|"
    r'(?:"(?:[^"]|"")+"|\w+)(?:\.(?:"(?:[^"]|"")+"|\w+))?)(?:\(\d+(?:,\d+)?\))?(?:\[\])*'
)
_BRACKETS_AND_BLANKS = re.compile(r"[()\s]+")
_QUALIFIER = re.compile(r'(?:\w+|"[^"]*")\.')
_SPELLED = frozenset(
    {"definition", "default", "generated", "using", "check", "partition bound", "partition key"}
)
_MAINTAIN = re.compile(r"(?<=[=*a-zA-Z])m\*?")


@dataclass(frozen=True, slots=True)
class RestoreDifference:
    """Something that is not as it was: what kind of thing, its name, and the difference in words."""

    kind: str
    name: str
    text: str

    def __str__(self) -> str:
        return self.text


def compare_restored(
    manifest: BackupManifest, recorded: BackupContents, found: RestoredDatabase
) -> list[RestoreDifference]:
    """Every difference: rows first, then sequences, large objects, extensions, and the catalogue."""
    differences = [
        *compare_tables(recorded_tables(recorded), found.tables),
        *_sequences(manifest, recorded, found),
    ]
    if manifest.selection.is_whole:
        differences += _large_objects(recorded, found)
        differences += _extensions(manifest, recorded, found)
    if recorded.schema is not None:
        wanted = DatabaseCatalogue.from_json(recorded.schema.major, recorded.schema.objects)
        there = found.catalogue
        if not manifest.selection.is_whole:
            chosen = {_quoted(TableName(each.schema, each.name)) for each in recorded.tables}
            wanted, there = _part(wanted, chosen), _part(there, chosen)
        differences += [
            RestoreDifference(each.kind, each.name, str(each))
            for each in compare(_dumped(wanted, there), _known(there, wanted))
            if not _is_spelling(each, same_major=wanted.major == there.major)
        ]
    return differences


def recorded_tables(recorded: BackupContents) -> dict[TableName, TableProof]:
    """What was read of each table when the backup was made; no hashes where they were made by another method."""
    hashed = has_our_hashes(recorded)
    return {
        TableName(each.schema, each.name): TableProof(each.rows, each.hash if hashed else None)
        for each in recorded.tables
    }


def has_our_hashes(recorded: BackupContents) -> bool:
    """Whether the hashes of a backup are made as this daemon makes them."""
    return recorded.method == METHOD


def compare_tables(
    recorded: Mapping[TableName, TableProof], found: Mapping[TableName, TableProof]
) -> Iterator[RestoreDifference]:
    """The differences of tables: those that are missing, and those that have other rows or other values."""
    for name, wanted in recorded.items():
        proof = found.get(name)
        text = ""
        if proof is None:
            text = f"table {name} is missing"
        elif proof.rows != wanted.rows:
            text = f"table {name} has {proof.rows} rows, and {wanted.rows} were dumped"
        elif wanted.hash is not None and proof.hash is not None and proof.hash != wanted.hash:
            text = f"table {name} has other values than those that were dumped, in as many rows"
        if text:
            yield RestoreDifference("table", _quoted(name), text)


def _sequences(
    manifest: BackupManifest, recorded: BackupContents, found: RestoredDatabase
) -> Iterator[RestoreDifference]:
    for each in recorded.sequences:
        name = TableName(each.schema, each.name)
        there = found.sequences.get(name)
        if there is None:
            if manifest.selection.is_whole:
                yield RestoreDifference("sequence", _quoted(name), f"sequence {name} is missing")
        elif not _may_stand(each, there):
            text = (
                f"sequence {name} stands at {there.last_value}, and was dumped at {each.last_value}"
            )
            if there.last_value == each.last_value:
                text = f"sequence {name} has not given its value {each.last_value}, and had when it was dumped"
                if there.is_called:
                    text = f"sequence {name} has given its value {each.last_value}, and had not when it was dumped"
            yield RestoreDifference("sequence", _quoted(name), text)


def _may_stand(recorded: SequenceContents, found: SequenceValue) -> bool:
    """Whether the dump may have met a sequence so. One that moved meanwhile must not be as it was never used."""
    if recorded.earlier_value is None or recorded.earlier_is_called is None:
        return True
    earlier = (recorded.earlier_value, recorded.earlier_is_called)
    later = (recorded.last_value, recorded.is_called)
    if earlier == later:
        return (found.last_value, found.is_called) == later
    return found.is_called or not recorded.earlier_is_called


def _large_objects(
    recorded: BackupContents, found: RestoredDatabase
) -> Iterator[RestoreDifference]:
    wanted, there = recorded.large_objects, found.large_objects
    if not recorded.tables and not recorded.sequences and not wanted.count:
        return  # nothing was read to compare with
    if wanted.count != there.rows:
        text = f"there are {there.rows} large objects, and {wanted.count} were dumped"
    elif wanted.hash is not None and there.hash is not None and wanted.hash != there.hash:
        text = "a large object has another content or number than what was dumped"
    else:
        return
    yield RestoreDifference("large objects", "", text)


def _extensions(
    manifest: BackupManifest, recorded: BackupContents, found: RestoredDatabase
) -> Iterator[RestoreDifference]:
    """Of a backup whose catalogue was not recorded."""
    if recorded.schema is not None:
        return
    there = set(found.catalogue.of_kind("extension")) | {"plpgsql"}
    for each in manifest.source.extensions:
        if each.name not in there and f'"{each.name}"' not in there:
            yield RestoreDifference("extension", each.name, f"extension {each.name} is missing")


def _part(catalogue: DatabaseCatalogue, tables: set[str]) -> DatabaseCatalogue:
    """What belongs to some tables."""
    kept = {
        (kind, name): has
        for (kind, name), has in catalogue.objects.items()
        if (kind == "table" and name in tables)
        or (kind in _OF_A_TABLE and name.rpartition(".")[0] in tables)
    }
    return DatabaseCatalogue(catalogue.major, kept)


def _dumped(wanted: DatabaseCatalogue, found: DatabaseCatalogue) -> DatabaseCatalogue:
    """Without what pg_dump leaves out: an index that is not valid."""
    kept = {
        key: has
        for key, has in wanted.objects.items()
        if not (key[0] == "index" and not has.get("valid", True) and key not in found.objects)
    }
    return DatabaseCatalogue(wanted.major, kept)


def _known(found: DatabaseCatalogue, wanted: DatabaseCatalogue) -> DatabaseCatalogue:
    """Without what was not recorded: it was changed during the dump, or is of a kind that was not read then.

    What is there too much is no loss; a dump cannot make what it does not hold.
    """
    kept = {key: has for key, has in found.objects.items() if key in wanted.objects}
    return DatabaseCatalogue(found.major, kept)


def _is_spelling(difference: CatalogueDifference, *, same_major: bool) -> bool:
    """Whether two properties differ in how they are written alone."""
    wanted, found = difference.wanted, difference.found
    if (difference.kind, difference.property) in _NOT_DUMPED:
        return True
    if wanted is None or found is None:
        return False
    if not same_major and difference.kind == "default grants":
        return _MAINTAIN.sub("", wanted) == _MAINTAIN.sub("", found)
    if difference.property not in _SPELLED:
        return False
    ours, theirs = _normal(wanted), _normal(found)
    if ours == theirs:
        return True
    return not same_major and _QUALIFIER.sub("", ours) == _QUALIFIER.sub("", theirs)


def _normal(text: str) -> str:
    """An expression without casts, brackets and blanks, its literals as they are."""
    parts = _LITERAL.split(text)
    return "".join(
        part if number % 2 else _BRACKETS_AND_BLANKS.sub("", _CAST.sub("", part))
        for number, part in enumerate(parts)
    )


_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


def _quoted(name: TableName) -> str:
    """A name as the catalogue has it, nearly: a word that SQL reserves is in quotes there."""
    return ".".join(
        each if _PLAIN.fullmatch(each) else '"' + each.replace('"', '""') + '"'
        for each in (name.schema, name.name)
    )
