"""What drift passes over is named by patterns, and what belongs to it goes with it."""

from __future__ import annotations

import pytest
from stewardd.errors import InvalidRequest
from stewardd.migrations.ignoring import ignore_rules
from stewardd.postgres.catalogue.comparing import CatalogueDifference

CASES = [
    ("public.events_2*", "table", "public.events_2025", True),
    ("public.events_2*", "column", "public.events_2025.id", True),
    ("public.events_2*", "table", "public.events", False),
    ("public.events_202?", "index", "public.events_2025.at_idx", True),
    ("public.events_202?", "table", "public.events_2025b", False),
    ("analytics", "schema", "analytics", True),
    ("analytics", "column", "analytics.facts.id", True),
    ("analytics", "table", "analytics2.facts", False),
    ("analytics", "function", "analytics.sum_of(a numeric, b numeric)", True),
    ("table public.t", "constraint", "public.t.t_check", True),
    ("function public.debug_*", "function", "public.debug_it(a public.pair)", True),
    ("function public.debug_*", "table", "public.debug_rows", False),
    ("extension citext", "extension", "citext", True),
    ("public.t.a", "column", "public.t.a", True),
    ("public.t.a", "column", "public.t.ab", False),
    ("column public.t.a", "index", "public.t.a", False),
    ("event trigger watch", "event trigger", "watch", True),
    ('public."odd.name"', "column", 'public."odd.name".id', True),
    ("public.t[1]", "table", "public.t1", False),
]


@pytest.mark.parametrize(("entry", "kind", "name", "is_ignored"), CASES)
def test_an_entry_ignores_what_it_names_and_what_belongs_to_it(entry, kind, name, is_ignored):
    difference = CatalogueDifference(kind, name, "existence", None, "there")
    assert ignore_rules([entry])[0].matches(difference) is is_ignored


@pytest.mark.parametrize("entry", ["", "  ", "a" * 513])
def test_an_entry_that_names_nothing_is_refused(entry):
    with pytest.raises(InvalidRequest):
        ignore_rules([entry])
