"""The diagram of a database says what the catalogue has, Mermaid draws it, and the page in docs/ is that of now."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import psycopg
from stewardd.migrations.areas import areas_of
from stewardd.migrations.diagram import mermaid
from stewardd.migrations.files import read_set
from stewardd.migrations.migrations import PLATFORM
from stewardd.migrations.rendering import DiagramRenderer
from stewardd.migrations.schema_page import markdown
from stewardd.postgres.catalogue.entities import read_entities
from stewardd.postgres.connect import connect

from tests.integration.migrations.test_platform import PII, TABLES
from tests.support.campaigns import FULL
from tests.support.mermaid import svg_of
from tests.support.versions import both_majors

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "database.md"
FOREIGN_KEYS = """
SELECT conrelid::regclass::text, confrelid::regclass::text, attname, attnotnull
FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1] WHERE contype = 'f'
"""
ODD = """
CREATE TABLE parent (id int PRIMARY KEY, code text UNIQUE);
CREATE TABLE one_each (id int PRIMARY KEY REFERENCES parent);
CREATE TABLE maybe_one (p int UNIQUE REFERENCES parent, c text REFERENCES parent (code));
CREATE SCHEMA "Odd";
CREATE TABLE "Odd"."a ""table"" | of <b>" ("a column" int REFERENCES parent, t text DEFAULT '|');
COMMENT ON COLUMN "Odd"."a ""table"" | of <b>"."a column" IS '[PII] *who* <script>';
CREATE TABLE parts (d date NOT NULL, v numeric(5,2)) PARTITION BY RANGE (d);
CREATE TABLE parts_2025 PARTITION OF parts FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE INDEX parts_v ON parts (v DESC, (v + 1)) INCLUDE (d) WHERE v > 1;
"""


@both_majors
async def test_the_platforms_diagram_has_every_table_key_and_mark(make, major):
    database = make(PLATFORM)
    await database.up()
    found = await DiagramRenderer(database.migrations).render("main")
    assert (found.table_count, found.foreign_key_count) == (19, len(database.query(FOREIGN_KEYS)))
    assert set(re.findall(r"^    (\w+):::area\d \{$", found.mermaid, re.MULTILINE)) == TABLES
    lines = {
        f'    {parent} {"||" if not_null else "|o"}--o{{ {child} : "{column}"'
        for child, parent, column, not_null in database.query(FOREIGN_KEYS)
    }
    assert {line for line in found.mermaid.splitlines() if "--o" in line} == lines
    table, marked = "", set()
    for line in found.mermaid.splitlines():
        if opened := re.fullmatch(r"    (\w+):::area\d \{", line):
            table = opened[1]
        elif '"PII' in line:
            marked.add(f"{table}.{line.split()[1]}")
    assert marked == PII
    assert re.findall(r"%% (.*)", found.mermaid) == [
        "People", "Sessions and outcomes", "Buddies", "Deduplication", "Audit logs",
    ]  # fmt: skip
    if major == 18:
        assert found.mermaid in PAGE.read_text()
        assert found.markdown in PAGE.read_text()


def test_the_page_is_drawn_with_all_tables_and_every_foreign_key():
    text = re.search(r"```mermaid\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert text is not None
    source = text[1] if FULL else _with_few_columns(text[1])
    drawn = svg_of(source)
    entities = set(re.findall(r'id="my-svg-entity-(\w+)-\d+"', drawn))
    assert entities == TABLES
    wanted = sorted(re.findall(r"^    (\w+) \S+--\S+ (\w+) : ", text[1], re.MULTILINE))
    lines = re.findall(r'<path[^>]* id="my-svg-id_entity-(\w+)-\d+_entity-(\w+)-\d+_\d+"', drawn)
    assert sorted(set(lines)) == sorted(set(wanted))
    assert len(lines) == len(wanted) >= 15
    columns = re.findall(
        r"^ {8}\S+ (\w+)(?: \w+(?:, \w+)*)?(?: \"[^\"]*\")?$", source, re.MULTILINE
    )
    words = Counter(re.findall(r"<p>(\w+)</p>", drawn))
    assert len(columns) >= (150 if FULL else 50)
    assert not Counter(columns) - words
    assert drawn.count("<p>PII") == len(PII)


def _with_few_columns(source: str) -> str:
    """The diagram without those columns that are no key and hold no personal data: `make test-full` draws them all."""
    return "\n".join(
        line
        for line in source.splitlines()
        if not re.match(r" {8}\w", line) or re.search(r" (PK|FK|UK)\b|PII", line)
    )


def test_the_page_is_fresh(tmp_path):
    subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "database_page.py"), str(tmp_path)], check=True
    )
    assert (tmp_path / "database.md").read_text() == PAGE.read_text(), "run `make docs`"


async def test_names_and_cardinalities_of_every_sort(database, files):
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        connection.execute(ODD)
    files.add("0001_first", 'CREATE TABLE public."before" (id int);')
    files.add(
        "0002_second",
        "ALTER TABLE IF EXISTS before RENAME TO parent; CREATE TABLE IF NOT EXISTS parts();",
    )
    reading = await connect(database, "test")
    try:
        areas = areas_of(read_set(files.folder), await read_entities(reading))
    finally:
        await reading.close()
    assert [(area.title, [entity.name for entity in area.entities]) for area in areas] == [
        ("First", ["parent"]),
        ("Second", ["parts"]),
        ("Other tables", ["maybe_one", "one_each", 'Odd.a "table" | of <b>']),
    ]
    drawing = mermaid(areas)
    assert 'parent ||--o| one_each : "id"' in drawing
    assert 'parent |o--o| maybe_one : "p"' in drawing
    assert 'parent |o--o{ maybe_one : "c"' in drawing
    assert "text code UK" in drawing
    assert "numeric(5,2) v" in drawing
    svg = svg_of(drawing)
    assert len(re.findall(r'id="my-svg-entity-', svg)) == 5
    assert len(re.findall(r'<path[^>]* id="my-svg-id_entity-', svg)) == 4
    page = markdown(areas)
    assert '### Odd.a "table" \\| of \\<b\\>' in page
    assert "PII | \\*who\\* \\<script\\> |" in page
    assert (
        "| `parts` | `parts_v` | `v DESC, (v + 1::numeric)` with `d` | btree | `v > 1::numeric` |"
        in page
    )
    assert "parts_2025" not in page
