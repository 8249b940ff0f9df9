"""Compares a restored database with what was recorded when its backup was made. Pure.

Rows are compared by count and hash. A sequence must stand where it stood before and after the dump, or between the two
where it moved meanwhile. Of the catalogue everything is compared that a dump holds; what PostgreSQL spells otherwise
after a restore is no difference: casts and brackets of an expression, and what another major version prints anew.
A verification and a restore compare by the same functions; what a restore was told to leave out is not expected.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from stewardd.backup.manifest.backup import BackupManifest
from stewardd.backup.manifest.contents import BackupContents, LargeObjects, SequenceContents
from stewardd.backup.verifying.grants import with_granted
from stewardd.postgres.catalogue.comparing import CatalogueDifference, compare
from stewardd.postgres.catalogue.identifiers import plain_parts
from stewardd.postgres.catalogue.reading import DatabaseCatalogue
from stewardd.postgres.dump_catalog import TableName
from stewardd.postgres.restored import RestoredDatabase
from stewardd.postgres.table_proof import METHODS, SequenceValue, TableProof

OF_A_TABLE = frozenset({"column", "constraint", "index", "trigger", "rule", "policy"})
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


@dataclass(frozen=True, slots=True)
class Expected:
    """What a restored database must hold. What is None was not recorded, or is not compared.

    `method` says how the tables were hashed. `extensions` count where no catalogue was recorded. A dump of a part does
    not say which sequences it holds: those that are missing are no difference where `may_lack_sequences`. Grants to
    `other_grantees` are not compared, none at all without `with_grants`; and where something was there before the
    restore (`is_added`), further grants and large objects are no difference.
    """

    tables: Mapping[TableName, TableProof]
    method: str | None = None
    sequences: tuple[SequenceContents, ...] = ()
    large_objects: LargeObjects | None = None
    extensions: tuple[str, ...] = ()
    catalogue: DatabaseCatalogue | None = None
    may_lack_sequences: bool = False
    with_grants: bool = True
    other_grantees: frozenset[str] = frozenset()
    is_added: bool = False


def expected_of(manifest: BackupManifest, recorded: BackupContents) -> Expected:
    """What must be there where everything that a backup holds was restored into an empty database."""
    is_whole = manifest.selection.is_whole
    return Expected(
        tables=recorded_tables(recorded),
        method=known_method(recorded),
        sequences=recorded.sequences,
        large_objects=recorded_large_objects(recorded) if is_whole else None,
        extensions=tuple(each.name for each in manifest.source.extensions) if is_whole else (),
        catalogue=recorded_catalogue(manifest, recorded),
        may_lack_sequences=not is_whole,
    )


def recorded_catalogue(
    manifest: BackupManifest, recorded: BackupContents
) -> DatabaseCatalogue | None:
    """The catalogue that was recorded; of a backup of a part, what belongs to its tables."""
    if recorded.schema is None:
        return None
    found = DatabaseCatalogue.from_json(recorded.schema.major, recorded.schema.objects)
    if manifest.selection.is_whole:
        return found
    return part_of_tables(found, {TableName(each.schema, each.name) for each in recorded.tables})


def recorded_large_objects(recorded: BackupContents) -> LargeObjects | None:
    """What was read of the large objects; None where nothing was read to compare a restore with."""
    if not recorded.tables and not recorded.sequences and not recorded.large_objects.count:
        return None
    return recorded.large_objects


def compare_restored(expected: Expected, found: RestoredDatabase) -> list[RestoreDifference]:
    """Every difference: rows first, then sequences, large objects, extensions, and the catalogue."""
    differences = [
        *compare_tables(expected.tables, found.tables),
        *_sequences(expected, found),
        *_large_objects(expected, found),
    ]
    if expected.catalogue is None:
        return [*differences, *_extensions(expected, found)]
    wanted, there = with_granted(
        _dumped(expected.catalogue, found.catalogue),
        _known(found.catalogue, expected.catalogue),
        compared=expected.with_grants,
        others=expected.other_grantees,
        may_have_more=expected.is_added,
    )
    return differences + [
        RestoreDifference(each.kind, each.name, str(each))
        for each in compare(wanted, there)
        if not _is_spelling(each, same_major=wanted.major == there.major)
    ]


def recorded_tables(recorded: BackupContents) -> dict[TableName, TableProof]:
    """What was read of each table when the backup was made; no hashes where this daemon does not know their method."""
    hashed = known_method(recorded) is not None
    return {
        TableName(each.schema, each.name): TableProof(each.rows, each.hash if hashed else None)
        for each in recorded.tables
    }


def known_method(recorded: BackupContents) -> str | None:
    """How the hashes of a backup were made; None where it has none, or this daemon does not know their method."""
    return recorded.method if recorded.method in METHODS else None


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


def _sequences(expected: Expected, found: RestoredDatabase) -> Iterator[RestoreDifference]:
    for each in expected.sequences:
        name = TableName(each.schema, each.name)
        there = found.sequences.get(name)
        if there is None:
            if not expected.may_lack_sequences:
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


def _large_objects(expected: Expected, found: RestoredDatabase) -> Iterator[RestoreDifference]:
    wanted, there = expected.large_objects, found.large_objects
    if wanted is None or (expected.is_added and there.rows > wanted.count):
        return
    if wanted.count != there.rows:
        text = f"there are {there.rows} large objects, and {wanted.count} were dumped"
    elif wanted.hash is not None and there.hash is not None and wanted.hash != there.hash:
        text = "a large object has another content or number than what was dumped"
    else:
        return
    yield RestoreDifference("large objects", "", text)


def _extensions(expected: Expected, found: RestoredDatabase) -> Iterator[RestoreDifference]:
    there = set(found.catalogue.of_kind("extension")) | {"plpgsql"}
    for name in expected.extensions:
        if name not in there and f'"{name}"' not in there:
            yield RestoreDifference("extension", name, f"extension {name} is missing")


def part_of_tables(
    catalogue: DatabaseCatalogue, tables: AbstractSet[TableName]
) -> DatabaseCatalogue:
    """What belongs to some tables, and the tables."""
    kept = {
        (kind, name): has
        for (kind, name), has in catalogue.objects.items()
        if (kind == "table" or kind in OF_A_TABLE) and _owner(name) in tables
    }
    return DatabaseCatalogue(catalogue.major, kept)


def _owner(name: str) -> TableName | None:
    schema, *others = plain_parts(name)
    return TableName(schema, others[0]) if others else None


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
