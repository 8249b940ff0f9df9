"""A set of migrations: the triples of a folder, `NNNN_name.up.sql`, `.down.sql` and `.verify.sql`, read and checked.

A set is in order from 0001 on, without a gap, without two of one number, and each migration can be taken back. A file
is known by its SHA-256, line ends normalised: what was applied must not be edited afterwards. Directives are comments
before the first statement:

    -- steward: no-transaction     for one statement that cannot run in a transaction
    -- steward: batch              the one statement is repeated, a transaction each, until it changes no row
    -- steward: after up           in a verify file: the queries below hold after up
    -- steward: after down         in a verify file: the queries below hold after down
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from stewardd.errors import MigrationNotFound, MigrationSetInvalid
from stewardd.migrations.statements import ScriptUnreadable, Statement, split, tokens

_FILE = re.compile(
    r"(?P<number>\d{4})_(?P<name>[a-z0-9][a-z0-9_]{0,62})\.(?P<part>up|down|verify)\.sql"
)
_DIRECTIVE = re.compile(r"--\s*steward\s*:\s*(?P<text>.*)")
_SECTION = re.compile(r"after (?P<direction>up|down)")
_PARTS = ("up", "down", "verify")
_LARGEST_FILE_BYTES = 16 << 20
_MOST_FILES = 30_000  # 9,999 migrations
_QUERIES = {"SELECT", "WITH", "TABLE", "VALUES"}
_CHANGES = {"INSERT", "UPDATE", "DELETE", "MERGE", "WITH"}
# What would end the runner's transaction, or begin one of its own.
_TRANSACTION_WORDS = {"BEGIN", "START", "COMMIT", "END", "ABORT", "PREPARE"}


class Mode(Enum):
    """How the statements of a file are run."""

    TRANSACTION = "transaction"
    NO_TRANSACTION = "no-transaction"
    BATCH = "batch"


class Direction(Enum):
    """Which way a migration is taken."""

    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Script:
    """An up or a down file. `code_sha256` stays the same where only comments and blanks change."""

    file_name: str
    text: str
    mode: Mode
    statements: tuple[Statement, ...]

    @property
    def code_sha256(self) -> str:
        """The SHA-256 of what the statements say, and of how they are run."""
        code = [self.mode.value, *(statement.code for statement in self.statements)]
        return _sha256("\n;\n".join(code))


@dataclass(frozen=True, slots=True)
class Verification:
    """A verify file: queries whose values are all true, after up and after down."""

    file_name: str
    text: str
    after_up: tuple[Statement, ...]
    after_down: tuple[Statement, ...]

    def after(self, direction: Direction) -> tuple[Statement, ...]:
        """The queries that hold after this direction was taken."""
        return self.after_up if direction is Direction.UP else self.after_down


@dataclass(frozen=True, slots=True)
class Migration:
    """One migration. `chain_sha256` covers all before it as well: what was proven rests on them."""

    number: int
    name: str
    up: Script
    down: Script
    verify: Verification
    sha256: str
    chain_sha256: str

    @property
    def label(self) -> str:
        """What it is called, `0004_deduplication`."""
        return label_of(self.number, self.name)

    def script(self, direction: Direction) -> Script:
        """The file that takes this direction."""
        return self.up if direction is Direction.UP else self.down


@dataclass(frozen=True, slots=True)
class MigrationSet:
    """All migrations of a folder, in order."""

    folder: Path
    migrations: tuple[Migration, ...]

    def __len__(self) -> int:
        return len(self.migrations)

    def numbered(self, number: int) -> Migration:
        """Returns the migration of that number. Raises: MigrationNotFound."""
        if not 1 <= number <= len(self.migrations):
            raise MigrationNotFound(
                f"there is no migration {number:04}: the set has {len(self.migrations)}"
            )
        return self.migrations[number - 1]


def label_of(number: int, name: str) -> str:
    """What a migration is called."""
    return f"{number:04}_{name}"


def read_set(folder: Path) -> MigrationSet:
    """Reads and checks a set; blocks. An empty folder is an empty set. Raises: MigrationSetInvalid."""
    texts = _read_texts(folder)
    migrations: list[Migration] = []
    chain = ""
    for number in sorted(texts):
        name, parts = _the_one(number, texts[number])
        if number != len(migrations) + 1:
            raise MigrationSetInvalid(
                f"the set in {folder} has no migration {len(migrations) + 1:04}, and has {label_of(number, name)}",
                hint="number the migrations from 0001 on, without a gap",
            )
        for part in _PARTS:
            if part not in parts:
                raise MigrationSetInvalid(
                    f"migration {label_of(number, name)} has no file {label_of(number, name)}.{part}.sql",
                    hint="each migration is three files: up, down, and verify with the queries that prove both",
                )
        sha256 = _sha256("\0".join(parts[part] for part in _PARTS))
        chain = _sha256(f"{chain}\n{sha256}")
        label = label_of(number, name)
        migrations.append(
            Migration(
                number,
                name,
                _read_script(f"{label}.up.sql", parts["up"], may_be_empty=False),
                _read_script(f"{label}.down.sql", parts["down"], may_be_empty=True),
                _read_verification(f"{label}.verify.sql", parts["verify"]),
                sha256,
                chain,
            )
        )
    return MigrationSet(folder, tuple(migrations))


def _read_texts(folder: Path) -> dict[int, dict[str, dict[str, str]]]:
    """The normalised texts: number -> name -> part -> text."""
    found: dict[int, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    try:
        paths = sorted(folder.iterdir())
        if len(paths) > _MOST_FILES:
            raise MigrationSetInvalid(f"{folder} holds more than {_MOST_FILES} files")
        for path in paths:
            if path.suffix != ".sql" or path.name.startswith("."):
                continue
            match = _FILE.fullmatch(path.name)
            if match is None:
                raise MigrationSetInvalid(
                    f"{path} is not called NNNN_name.up.sql, NNNN_name.down.sql or NNNN_name.verify.sql",
                    hint="four digits, then a name of small letters, digits and _",
                )
            found[int(match["number"])][match["name"]][match["part"]] = _read_text(path)
    except OSError as error:
        raise MigrationSetInvalid(
            f"the migrations in {error.filename or folder} cannot be read: {error.strerror}"
        ) from None
    return found


def _read_text(path: Path) -> str:
    if path.stat().st_size > _LARGEST_FILE_BYTES:
        raise MigrationSetInvalid(f"{path} is larger than {_LARGEST_FILE_BYTES >> 20} MiB")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise MigrationSetInvalid(f"{path} is no UTF-8") from None
    if "\0" in text:
        raise MigrationSetInvalid(f"{path} holds a NUL, which PostgreSQL does not take")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _the_one(number: int, named: dict[str, dict[str, str]]) -> tuple[str, dict[str, str]]:
    if len(named) > 1:
        names = " and ".join(label_of(number, name) for name in sorted(named))
        raise MigrationSetInvalid(
            f"two migrations have the number {number:04}: {names}",
            hint="give the later one the next free number",
        )
    return next(iter(named.items()))


def _read_script(file_name: str, text: str, *, may_be_empty: bool) -> Script:
    statements = _split(file_name, text)
    directives = _directives(text)
    modes = [directive for directive in directives if directive in {mode.value for mode in Mode}]
    unknown = [directive for directive in directives if directive not in modes]
    if unknown or len(modes) > 1:
        raise MigrationSetInvalid(
            f"{file_name} has the directive {(unknown or modes)[-1]!r}, which an up or a down file does not take"
            if unknown
            else f"{file_name} has two directives that exclude each other",
            hint="`-- steward: no-transaction` and `-- steward: batch` are the two that there are",
        )
    if not statements and not may_be_empty:
        raise MigrationSetInvalid(f"{file_name} has no statement")
    mode = Mode(modes[0]) if modes else Mode.TRANSACTION
    if mode is not Mode.TRANSACTION and len(statements) != 1:
        raise MigrationSetInvalid(
            f"{file_name} has {len(statements)} statements, and with `-- steward: {mode.value}` it takes one",
            hint="make a migration of each: a failure then leaves the database before or after one, never between",
        )
    if mode is Mode.BATCH and statements[0].words[0] not in _CHANGES:
        raise MigrationSetInvalid(
            f"{file_name}: `-- steward: batch` repeats a statement until it changes no row, and this one changes none"
        )
    for statement in statements:
        _check_statement(file_name, statement)
    return Script(file_name, text, mode, tuple(statements))


def _check_statement(file_name: str, statement: Statement) -> None:
    words = statement.words
    where = f"{file_name}, line {statement.line}"
    if words[0].startswith("\\"):
        raise MigrationSetInvalid(
            f"{where}: a command of psql, and not of SQL", hint="write what it does in SQL"
        )
    ends_transaction = words[0] in _TRANSACTION_WORDS
    if words[0] == "PREPARE":
        ends_transaction = words[1:2] == ("TRANSACTION",)
    if words[0] == "ROLLBACK":
        ends_transaction = "TO" not in words
    if ends_transaction:
        raise MigrationSetInvalid(
            f"{where}: {words[0]} would end or begin a transaction, which is the runner's to do",
            hint="each file is one transaction; `-- steward: no-transaction` runs its statements one by one",
        )
    if words[0] == "COPY" and statement.code.upper().endswith(("FROM STDIN", "TO STDOUT")):
        raise MigrationSetInvalid(
            f"{where}: COPY with the client has no data here", hint="write INSERT … VALUES"
        )


def _read_verification(file_name: str, text: str) -> Verification:
    """Cuts a verify file at its two directives; each query belongs to the one above it."""
    sections: dict[str, list[Statement]] = {"up": [], "down": []}
    statements = _split(file_name, text)
    marks = [
        (token.at, found["direction"])
        for token in tokens(text)
        if token.kind == "comment"
        and (directive := _DIRECTIVE.fullmatch(token.text.strip()))
        and (found := _SECTION.fullmatch(directive["text"].strip()))
    ]
    lines = [(text.count("\n", 0, at) + 1, direction) for at, direction in marks]
    for statement in statements:
        above = [direction for line, direction in lines if line < statement.line]
        if not above:
            raise MigrationSetInvalid(
                f"{file_name}, line {statement.line}: a query above the first `-- steward: after …`",
                hint="say by `-- steward: after up` and `-- steward: after down` when the queries below hold",
            )
        if statement.words[0] not in _QUERIES:
            raise MigrationSetInvalid(f"{file_name}, line {statement.line}: not a query")
        sections[above[-1]].append(statement)
    if not sections["up"]:
        raise MigrationSetInvalid(
            f"{file_name} has no query that proves up",
            hint="write one below `-- steward: after up`",
        )
    return Verification(file_name, text, tuple(sections["up"]), tuple(sections["down"]))


def _directives(text: str) -> list[str]:
    """What the comments before the first statement direct."""
    found = []
    for token in tokens(text):
        if token.kind == "comment" and (match := _DIRECTIVE.fullmatch(token.text.strip())):
            found.append(match["text"].strip())
        elif token.kind not in ("comment", "blank"):
            break
    return found


def _split(file_name: str, text: str) -> list[Statement]:
    try:
        return split(text)
    except ScriptUnreadable as error:
        raise MigrationSetInvalid(f"{file_name}: {error}") from None


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
