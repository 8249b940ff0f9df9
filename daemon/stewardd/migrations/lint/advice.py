"""How the same is done without keeping anybody waiting: a text for each rule, and a shorter way where 18 has one.

The names are squawk's rules, and those that are ours. A rule that is not here keeps squawk's own help.
"""

from __future__ import annotations

RENAME = "rename-without-view"
REWRITE = "rewrites-table"
DROPS_MORE = "down-drops-more"
TESTS_NOTHING = "verify-tests-nothing"
FAILS = "does-not-run"

_FIRST_NOT_VALID_NOT_NULL = 18
_NOT_NULL = (
    "add CHECK (column IS NOT NULL) NOT VALID in one migration and VALIDATE CONSTRAINT in"
    " the next; then SET NOT NULL needs no look at the rows, and the CHECK can go"
)
_NOT_NULL_18 = (
    "ALTER TABLE … ADD NOT NULL column NOT VALID in one migration, and VALIDATE "
    "CONSTRAINT in the next; 18 needs no CHECK"
)
_IN_STEPS = (
    "add the new column, let the services write both, fill it in batches (`-- steward: "
    "batch`), let the services read it, and drop the old one last"
)
_ADVICE = {
    "adding-not-nullable-field": _NOT_NULL,
    "adding-required-field": (
        f"add the column without NOT NULL, fill it in batches (`-- steward: batch`), then: {_NOT_NULL}"
    ),
    "adding-field-with-default": (
        "a constant default is stored once and writes no row; a default that differs from row"
        " to row is set after the column is there, and the rows are filled in batches (`-- "
        "steward: batch`)"
    ),
    "adding-foreign-key-constraint": "add the key NOT VALID in one migration, and VALIDATE CONSTRAINT in the next",
    "constraint-missing-not-valid": (
        "add the constraint NOT VALID in one migration, and VALIDATE CONSTRAINT in the next: "
        "it reads the rows and lets others write"
    ),
    "adding-primary-key-constraint": (
        "build a unique index CONCURRENTLY (`-- steward: no-transaction`), then ADD PRIMARY "
        "KEY USING INDEX"
    ),
    "adding-serial-primary-key-field": (
        "build a unique index CONCURRENTLY (`-- steward: no-transaction`), then ADD PRIMARY "
        "KEY USING INDEX"
    ),
    "disallowed-unique-constraint": (
        "build a unique index CONCURRENTLY (`-- steward: no-transaction`), then ADD "
        "CONSTRAINT … UNIQUE USING INDEX"
    ),
    "changing-column-type": _IN_STEPS,
    "require-concurrent-index-creation": "CREATE INDEX CONCURRENTLY, alone in its file: `-- steward: no-transaction`",
    "require-concurrent-index-deletion": "DROP INDEX CONCURRENTLY, alone in its file: `-- steward: no-transaction`",
    "require-concurrent-reindex": "REINDEX CONCURRENTLY, alone in its file below `-- steward: no-transaction`",
    "require-concurrent-partition-detach": (
        "DETACH PARTITION … CONCURRENTLY, alone in its file below `-- steward: no-transaction`"
    ),
    "renaming-column": _IN_STEPS,
    "renaming-table": (
        "rename the table and make a view of the old name in the same migration; drop the "
        "view when no service uses it any more"
    ),
    "ban-drop-column": (
        "drop it when no service that runs reads it any more; taking the migration back "
        "cannot bring its values back"
    ),
    "ban-drop-table": (
        "drop it when no service that runs reads it any more; taking the migration back "
        "cannot bring its rows back"
    ),
    "ban-drop-not-null": "let the services cope with an empty value first",
    "prefer-timestamp-tz": "timestamptz keeps the moment, whatever the session's time zone is",
    RENAME: (
        "make a view of the old name in the same migration, so that services that run find "
        "it; drop the view later"
    ),
    REWRITE: f"the table is locked while every row is written anew: {_IN_STEPS}",
    DROPS_MORE: (
        "taking a migration back must bring the schema back as it was: take the DROP out of "
        "the down file, or make the object in the up file"
    ),
    TESTS_NOTHING: (
        "write a query that is false before up and true after it, such as SELECT "
        "to_regclass('t') IS NOT NULL AS t_is_there"
    ),
    FAILS: "`steward migrate prove` says more",
}
_ADVICE_18 = {
    "adding-not-nullable-field": _NOT_NULL_18,
    "adding-required-field": (
        f"add the column without NOT NULL, fill it in batches (`-- steward: batch`), then: {_NOT_NULL_18}"
    ),
}


def advice(rule: str, major: int, otherwise: str) -> str:
    """The way without waiting, for a major version; `otherwise` where there is none of ours."""
    shorter = _ADVICE_18.get(rule) if major >= _FIRST_NOT_VALID_NOT_NULL else None
    if rule.startswith("ban-drop-"):
        otherwise = "drop it when no running service uses it any more"
    return shorter or _ADVICE.get(rule, otherwise)
