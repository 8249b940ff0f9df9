"""The SQL that makes or removes an object of a catalogue, with all that belongs to it; pure functions.

An object comes with its grants and its comment, a table with its columns, constraints, indexes, triggers, rules and
policies. What a catalogue holds too little of to make it (an aggregate, a cast) gives no statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stewardd.postgres.catalogue.identifiers import literal, quoted, split_name
from stewardd.postgres.catalogue.reading import DatabaseCatalogue

Properties = Mapping[str, Any]

_COMMANDS = {"*": "ALL", "r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE"}
_OF_A_TABLE = ("constraint", "index", "trigger", "rule", "policy")
_IDENTITIES = {"a": "ALWAYS", "d": "BY DEFAULT"}
_ENABLED = {"O": "ENABLE", "D": "DISABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}
_WORDS = {
    "schema": "SCHEMA",
    "extension": "EXTENSION",
    "sequence": "SEQUENCE",
    "statistics": "STATISTICS",
    "event trigger": "EVENT TRIGGER",
}


def made(catalogue: DatabaseCatalogue, kind: str, name: str) -> list[str]:
    """The statements that make an object as a catalogue has it; none where they cannot be told."""
    has = catalogue.objects[kind, name]
    statements = _creation(catalogue, kind, name, has)
    if not statements:
        return []
    if has.get("comment"):
        statements.append(comment(catalogue, kind, name, has["comment"]))
    statements += grants(catalogue, kind, name, None, has.get("grants"))
    return statements


def removed(catalogue: DatabaseCatalogue, kind: str, name: str) -> list[str]:
    """The statements that remove an object."""
    owner, part = split_name(name)
    if kind in ("column", "constraint"):
        target = f"ALTER {_owner_word(catalogue, owner)} {owner}"
        what = _column_word(catalogue, owner) if kind == "column" else "CONSTRAINT"
        return [f"{target} DROP {what} {part}"]
    if kind in ("trigger", "rule", "policy"):
        return [f"DROP {kind.upper()} {part} ON {owner}"]
    if kind == "default grants":
        return []
    names = {
        "index": lambda: f"INDEX {index_name(name)}",
        "sequence": lambda: f"SEQUENCE IF EXISTS {name}",  # it may have gone with its column
        "object": lambda: _other_object(name),
    }
    called = names.get(kind, lambda: f"{word_of(catalogue, kind, name)} {name}")()
    return [f"DROP {called}"]


def word_of(catalogue: DatabaseCatalogue, kind: str, name: str) -> str:
    """What an object is called in SQL: `MATERIALIZED VIEW`."""
    has = catalogue.objects[kind, name]
    if kind == "table":
        return "FOREIGN TABLE" if has["kind"] == "f" else "TABLE"
    if kind == "view":
        return "MATERIALIZED VIEW" if has["kind"] == "m" else "VIEW"
    if kind == "type":
        return "DOMAIN" if has["kind"] == "d" else "TYPE"
    if kind == "function":
        return "AGGREGATE" if has["kind"] == "a" else "ROUTINE"
    return _WORDS[kind]


def comment(catalogue: DatabaseCatalogue, kind: str, name: str, text: str | None) -> str:
    """The statement that sets the comment of an object."""
    owner, part = split_name(name)
    said = "NULL" if text is None else literal(text)
    if kind == "column":
        return f"COMMENT ON COLUMN {name} IS {said}"
    if kind == "index":
        return f"COMMENT ON INDEX {index_name(name)} IS {said}"
    if kind in ("constraint", "trigger", "rule", "policy"):
        domain = "DOMAIN " if ("type", owner) in catalogue.objects else ""
        return f"COMMENT ON {kind.upper()} {part} ON {domain}{owner} IS {said}"
    if kind == "object":
        return f"COMMENT ON {_other_object(name)} IS {said}"
    return f"COMMENT ON {word_of(catalogue, kind, name)} {name} IS {said}"


def grants(
    catalogue: DatabaseCatalogue,
    kind: str,
    name: str,
    found: Sequence[str] | None,
    wanted: Sequence[str] | None,
) -> list[str]:
    """The statements that bring the grants of an object from what was found to what is wanted."""
    before, after = _by_grantee(found), _by_grantee(wanted)
    on = _granted_object(catalogue, kind, name)
    if on is None or before == after:
        return []
    column = split_name(name)[1] if kind == "column" else ""
    statements = []
    for grantee in sorted({*before, *after}):
        if before.get(grantee) == after.get(grantee):
            continue
        who = "PUBLIC" if grantee == "PUBLIC" else quoted(grantee)
        if grantee in before:
            every = f"ALL PRIVILEGES ({column})" if column else "ALL PRIVILEGES"
            statements.append(f"REVOKE {every} ON {on} FROM {who}")
        for is_grantable in (False, True):
            words = [
                word.rstrip("*") + (f" ({column})" if column else "")
                for word in after.get(grantee, "").split(", ")
                if word and word.endswith("*") is is_grantable
            ]
            if words:
                option = " WITH GRANT OPTION" if is_grantable else ""
                statements.append(f"GRANT {', '.join(words)} ON {on} TO {who}{option}")
    return statements


def column_definition(part: str, has: Properties) -> str:
    """A column as CREATE TABLE and ADD COLUMN take it."""
    words = [part, has["type"]]
    if has.get("collation"):
        words.append(f"COLLATE {has['collation']}")
    if has.get("generated"):
        stored, _, expression = has["generated"].partition(" ")
        kind = "STORED" if stored == "s" else "VIRTUAL"
        words.append(f"GENERATED ALWAYS AS ({expression}) {kind}")
    if has.get("default") is not None:
        words.append(f"DEFAULT {has['default']}")
    if has.get("identity"):
        words.append(f"GENERATED {_IDENTITIES[has['identity']]} AS IDENTITY")
    if has.get("not null") is True:
        words.append("NOT NULL")
    return " ".join(words)


def index_name(name: str) -> str:
    """An index as SQL names it, by schema; the catalogue has it below its table."""
    owner, part = split_name(name)
    return f"{split_name(owner)[0]}.{part}"


def sequence_options(has: Properties) -> str:
    """What CREATE SEQUENCE and ALTER SEQUENCE take."""
    return (
        f"AS {has['type']} INCREMENT {has['increment']} MINVALUE {has['minimum']} MAXVALUE {has['maximum']} "
        f"START {has['start']} CACHE {has['cache']} {'' if has['cycles'] else 'NO '}CYCLE"
    )


def enabling(kind: str, name: str, enabled: str) -> str:
    """The statement that enables or disables a trigger or a rule of a table."""
    owner, part = split_name(name)
    return f"ALTER TABLE {owner} {_ENABLED[enabled]} {kind.upper()} {part}"


def storage_options(options: Sequence[str]) -> str:
    """Options as SET (…) takes them."""
    pairs = (each.partition("=") for each in options)
    return ", ".join(f"{name} = {literal(value)}" for name, _, value in pairs)


def is_of_a_constraint(catalogue: DatabaseCatalogue, name: str) -> bool:
    """Whether an index is that of a primary key, a unique or an exclusion constraint."""
    has = catalogue.objects.get(("constraint", name))
    return has is not None and has["definition"].startswith(("PRIMARY KEY", "UNIQUE", "EXCLUDE"))


def is_of_an_identity(catalogue: DatabaseCatalogue, name: str) -> bool:
    """Whether a sequence belongs to an identity column, which makes and removes it."""
    owner = catalogue.objects["sequence", name].get("owned by")
    column = catalogue.objects.get(("column", owner), {}) if owner else {}
    return bool(column.get("identity"))


def _creation(catalogue: DatabaseCatalogue, kind: str, name: str, has: Properties) -> list[str]:
    owner, part = split_name(name)
    if kind in ("column", "constraint"):
        target = f"ALTER {_owner_word(catalogue, owner)} {owner}"
        if kind == "constraint":
            return [f"{target} ADD CONSTRAINT {part} {has['definition']}"]
        return [f"{target} ADD {_column_word(catalogue, owner)} {column_definition(part, has)}"]
    if kind in ("trigger", "rule"):
        enabled = [] if has["enabled"] == "O" else [enabling(kind, name, has["enabled"])]
        return [has["definition"].rstrip(";"), *enabled]
    if kind in ("index", "function", "statistics"):
        return [has["definition"].strip()] if has.get("definition") else []
    ways = {"table": _table, "view": _view, "policy": _policy, "type": _type}
    way = ways.get(kind)
    return way(catalogue, name, has) if way else _of_the_database(kind, name, has)


def _of_the_database(kind: str, name: str, has: Properties) -> list[str]:
    if kind == "schema":
        return [f"CREATE SCHEMA {name}"]
    if kind == "extension":
        return [f"CREATE EXTENSION {name} SCHEMA {quoted(has['schema'])}"]
    if kind == "sequence":
        return [f"CREATE SEQUENCE {name} {sequence_options(has)}"]
    if kind == "event trigger":
        tags = ", ".join(map(literal, has.get("tags") or ()))
        when = f" WHEN TAG IN ({tags})" if tags else ""
        return [
            f"CREATE EVENT TRIGGER {name} ON {has['event']}{when} EXECUTE FUNCTION {has['function']}"
        ]
    return []


def _table(catalogue: DatabaseCatalogue, name: str, has: Properties) -> list[str]:
    if has["kind"] == "f":
        return []
    columns = [
        (split_name(each)[1], column)
        for each, column in catalogue.of_kind("column").items()
        if split_name(each)[0] == name
    ]
    columns.sort(key=lambda column: int(column[1]["position"]))
    statements = [_table_head(name, has, [column_definition(*column) for column in columns])]
    statements += [
        comment(catalogue, "column", f"{name}.{part}", column["comment"])
        for part, column in columns
        if column.get("comment")
    ]
    for kind in _OF_A_TABLE:
        for each in catalogue.of_kind(kind):
            if split_name(each)[0] == name and not _comes_with_another(catalogue, kind, each):
                statements += made(catalogue, kind, each)
    switches = {"row security": "ENABLE", "forced row security": "FORCE"}
    statements += [
        f"ALTER TABLE {name} {word} ROW LEVEL SECURITY"
        for switch, word in switches.items()
        if has[switch]
    ]
    return statements


def _table_head(name: str, has: Properties, columns: Sequence[str]) -> str:
    head = f"CREATE {'UNLOGGED ' if has['persistence'] == 'u' else ''}TABLE {name}"
    if has.get("partition bound"):
        head += f" PARTITION OF {has['parents'][0]} {has['partition bound']}"
    else:
        head += f" ({', '.join(columns)})"
        if has.get("parents"):
            head += f" INHERITS ({', '.join(has['parents'])})"
    if has.get("partition key"):
        head += f" PARTITION BY {has['partition key']}"
    if has.get("options"):
        head += f" WITH ({storage_options(has['options'])})"
    return head


def _comes_with_another(catalogue: DatabaseCatalogue, kind: str, name: str) -> bool:
    """Whether a constraint or an index is made by what it belongs to: a constraint, or the partitioned parent."""
    has = catalogue.objects[kind, name]
    if kind == "index":
        return is_of_a_constraint(catalogue, name) or bool(has.get("parents"))
    return kind == "constraint" and not has.get("local", True)


def _view(catalogue: DatabaseCatalogue, name: str, has: Properties) -> list[str]:
    options = f" WITH ({storage_options(has['options'])})" if has.get("options") else ""
    word = word_of(catalogue, "view", name)
    statements = [f"CREATE {word} {name}{options} AS {has['definition'].strip().rstrip(';')}"]
    for kind in ("index", "trigger", "rule"):
        for each in catalogue.of_kind(kind):
            if split_name(each)[0] == name:
                statements += made(catalogue, kind, each)
    return statements


def _policy(_: DatabaseCatalogue, name: str, has: Properties) -> list[str]:
    owner, part = split_name(name)
    how = "PERMISSIVE" if has["permissive"] else "RESTRICTIVE"
    roles = ", ".join(
        "PUBLIC" if role == "PUBLIC" else quoted(role) for role in has["roles"] or ["PUBLIC"]
    )
    text = f"CREATE POLICY {part} ON {owner} AS {how} FOR {_COMMANDS[has['command']]} TO {roles}"
    if has.get("using"):
        text += f" USING ({has['using']})"
    if has.get("check"):
        text += f" WITH CHECK ({has['check']})"
    return [text]


def _type(catalogue: DatabaseCatalogue, name: str, has: Properties) -> list[str]:
    if has["kind"] == "e":
        return [f"CREATE TYPE {name} AS ENUM ({', '.join(map(literal, has['labels'] or ()))})"]
    if has["kind"] == "r":
        return [f"CREATE TYPE {name} AS RANGE (SUBTYPE = {has['subtype']})"]
    if has["kind"] == "c":
        attributes = [
            (column["position"], column_definition(split_name(each)[1], column))
            for each, column in catalogue.of_kind("column").items()
            if split_name(each)[0] == name
        ]
        return [f"CREATE TYPE {name} AS ({', '.join(text for _, text in sorted(attributes))})"]
    if has["kind"] != "d":
        return []
    text = f"CREATE DOMAIN {name} AS {has['base']}"
    if has.get("collation"):
        text += f" COLLATE {has['collation']}"
    if has.get("default") is not None:
        text += f" DEFAULT {has['default']}"
    if has["not null"]:
        text += " NOT NULL"
    checks = [
        f"CONSTRAINT {split_name(each)[1]} {constraint['definition']}"
        for each, constraint in catalogue.of_kind("constraint").items()
        if split_name(each)[0] == name
    ]
    return [" ".join([text, *checks])]


def _owner_word(catalogue: DatabaseCatalogue, owner: str) -> str:
    for kind in ("type", "table", "view"):
        if (kind, owner) in catalogue.objects:
            return word_of(catalogue, kind, owner)
    return "TABLE"


def _granted_object(catalogue: DatabaseCatalogue, kind: str, name: str) -> str | None:
    if kind in ("table", "view"):
        return f"TABLE {name}"
    if kind == "column":
        return f"TABLE {split_name(name)[0]}"
    if kind in ("schema", "sequence", "function", "type"):
        return f"{word_of(catalogue, kind, name)} {name}"
    return None


def _by_grantee(granted: Sequence[str] | None) -> dict[str, str]:
    found = {}
    for each in granted or ():
        grantee, _, privileges = each.rpartition(": ")
        found[grantee] = privileges
    return found


def _column_word(catalogue: DatabaseCatalogue, owner: str) -> str:
    return "ATTRIBUTE" if ("type", owner) in catalogue.objects else "COLUMN"


def _other_object(name: str) -> str:
    """An object of another kind, such as `text search configuration public.x`, its kind in capitals."""
    words = name.split(" ")
    count = 1
    while count < len(words) - 1 and words[count].isalpha() and words[count].islower():
        count += 1
    return " ".join([*(word.upper() for word in words[:count]), *words[count:]])
