"""Who may do what, as a catalogue tells it, compared: where roles were mapped, left out, or had rights before. Pure.

An object's grants are a list of texts such as "reader: SELECT, UPDATE*".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from stewardd.postgres.catalogue.reading import DatabaseCatalogue

_GRANTS = "grants"
_DEFAULT = "default grants"
_POLICY = "policy"
_ROLES = "roles"
Properties = Mapping[str, Any]


def with_granted(
    wanted: DatabaseCatalogue,
    found: DatabaseCatalogue,
    *,
    compared: bool,
    others: AbstractSet[str],
    may_have_more: bool,
) -> tuple[DatabaseCatalogue, DatabaseCatalogue]:
    """Both catalogues without the grants that are no difference.

    None are compared unless `compared`, and none to `others`. Where the database `may_have_more`, what was granted
    beyond what is wanted is left out, and of default grants only their existence counts.
    """
    if not compared:
        return _without_grants(wanted), _without_grants(found)
    if others:
        wanted, found = (
            _changed(each, lambda grants: _without(grants, others)) for each in (wanted, found)
        )
    if may_have_more:
        found = _without_more(wanted, found)
    return wanted, found


def with_other_roles(catalogue: DatabaseCatalogue, roles: Mapping[str, str]) -> DatabaseCatalogue:
    """A catalogue with other roles in the place of those that `roles` names; default grants that name one are left out.

    Their text names a role in more forms than one.
    """
    objects = {}
    for (kind, name), has in catalogue.objects.items():
        if kind == _DEFAULT:
            if not _names_one(roles, [name, *(has.get(_GRANTS) or ())]):
                objects[kind, name] = has
            continue
        changed = dict(has)
        if changed.get(_GRANTS):
            changed[_GRANTS] = _mapped(changed[_GRANTS], roles)
        if kind == _POLICY:
            changed[_ROLES] = sorted(roles.get(each, each) for each in has.get(_ROLES) or ())
        objects[kind, name] = changed
    return DatabaseCatalogue(catalogue.major, objects)


def _names_one(roles: Iterable[str], texts: Iterable[str]) -> bool:
    """Whether a role's name, plain or as it is in quotes, is a part of a text."""
    said = "\n".join(texts)
    return any(role in said or role.replace('"', '""') in said for role in roles)


def _without_grants(catalogue: DatabaseCatalogue) -> DatabaseCatalogue:
    kept = {
        key: {each: value for each, value in has.items() if each != _GRANTS}
        for key, has in catalogue.objects.items()
        if key[0] != _DEFAULT
    }
    return DatabaseCatalogue(catalogue.major, kept)


def _without_more(wanted: DatabaseCatalogue, found: DatabaseCatalogue) -> DatabaseCatalogue:
    """What is there, with the grants that are wanted wherever they are among those that are there."""
    objects = {}
    for key, has in found.objects.items():
        asked = wanted.objects.get(key, {}).get(_GRANTS)
        enough = key[0] == _DEFAULT or _contains(has.get(_GRANTS), asked)
        objects[key] = {**has, _GRANTS: asked} if enough else has
    return DatabaseCatalogue(found.major, objects)


def _contains(grants: list[str] | None, wanted: list[str] | None) -> bool:
    there = {grantee: set(privileges.split(", ")) for grantee, privileges in _parted(grants)}
    return all(
        set(privileges.split(", ")) <= there.get(grantee, set())
        for grantee, privileges in _parted(wanted)
    )


def _mapped(grants: list[str], roles: Mapping[str, str]) -> list[str]:
    return [
        f"{grantee}: {privileges}"
        for grantee, privileges in sorted(
            (roles.get(grantee, grantee), privileges) for grantee, privileges in _parted(grants)
        )
    ]


def _without(grants: list[str], grantees: AbstractSet[str]) -> list[str] | None:
    kept = [f"{one}: {privileges}" for one, privileges in _parted(grants) if one not in grantees]
    return kept or None


def _parted(grants: list[str] | None) -> list[tuple[str, str]]:
    """Each grantee with its privileges, of which none has a colon."""
    return [
        (one, privileges) for one, _, privileges in (each.rpartition(": ") for each in grants or ())
    ]


def _changed(
    catalogue: DatabaseCatalogue, change: Callable[[list[str]], list[str] | None]
) -> DatabaseCatalogue:
    """A catalogue with the grants of its objects changed; default grants, which have another form, as they are."""
    objects: dict[tuple[str, str], Properties] = {}
    for key, has in catalogue.objects.items():
        is_changed = key[0] != _DEFAULT and has.get(_GRANTS)
        objects[key] = {**has, _GRANTS: change(has[_GRANTS])} if is_changed else has
    return DatabaseCatalogue(catalogue.major, objects)
