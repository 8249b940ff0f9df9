"""One query a kind of object: its name, schema and all, and its properties as JSON.

Every query runs with search_path = pg_catalog, so that each name comes with its schema. What an extension made is the
extension's, what steward made is ours, and neither is told. A property that has its default is told as that default,
whichever major version keeps it in whichever way: 18 keeps NOT NULL in pg_constraint, and here it is a column's.
"""

# ruff: noqa: S608  # the queries are put together here, and no value of anybody's goes into them
from __future__ import annotations

_SCHEMAS = "(s.nspname !~ '^pg_' AND s.nspname <> 'information_schema' AND s.nspname <> 'steward')"


def _not_of_an_extension(catalog: str, oid: str) -> str:
    return (
        f"NOT EXISTS (SELECT FROM pg_depend AS made WHERE made.classid = '{catalog}'::regclass"
        f" AND made.objid = {oid} AND made.deptype = 'e')"
    )


def _grants(acl: str, kind: str, owner: str) -> str:
    """Who may do what, the owner left out. MAINTAIN, which is new in 17, is a part of ALL there."""
    return (
        f"(SELECT jsonb_agg(grantee || ': ' || privileges ORDER BY grantee) FROM (SELECT"
        f" coalesce(role.rolname, 'PUBLIC') AS grantee,"
        f" string_agg(privilege_type || CASE WHEN is_grantable THEN '*' ELSE '' END, ', ' ORDER BY privilege_type)"
        f" AS privileges FROM aclexplode(coalesce({acl}, acldefault('{kind}', {owner})))"
        f" LEFT JOIN pg_roles AS role ON role.oid = grantee"
        f" WHERE grantee <> {owner} AND privilege_type <> 'MAINTAIN' GROUP BY 1) AS granted)"
    )


def _class(kinds: str) -> str:
    return (
        f"FROM pg_class AS c JOIN pg_namespace AS s ON s.oid = c.relnamespace WHERE {_SCHEMAS}"
        f" AND c.relkind IN ({kinds}) AND {_not_of_an_extension('pg_class', 'c.oid')}"
    )


_NAME = "format('%I.%I', s.nspname, c.relname)"
_TABLES = "'r', 'p', 'f'"

SCHEMAS = f"""
SELECT quote_ident(s.nspname), json_build_object('comment', obj_description(s.oid, 'pg_namespace'),
  'grants', {_grants("s.nspacl", "n", "s.nspowner")})
FROM pg_namespace AS s WHERE {_SCHEMAS} AND {_not_of_an_extension("pg_namespace", "s.oid")}
"""
EXTENSIONS = """
SELECT quote_ident(extname), json_build_object('version', extversion, 'schema', s.nspname)
FROM pg_extension JOIN pg_namespace AS s ON s.oid = extnamespace WHERE extname <> 'plpgsql'
"""
TABLES = f"""
SELECT {_NAME}, json_build_object('kind', c.relkind, 'persistence', c.relpersistence,
  'partition key', pg_get_partkeydef(c.oid), 'partition bound', pg_get_expr(c.relpartbound, c.oid),
  'parents', (SELECT jsonb_agg(inhparent::regclass::text ORDER BY inhseqno) FROM pg_inherits WHERE inhrelid = c.oid),
  'row security', c.relrowsecurity, 'forced row security', c.relforcerowsecurity, 'options', c.reloptions,
  'replica identity', c.relreplident, 'access method', (SELECT amname FROM pg_am WHERE oid = c.relam),
  'comment', obj_description(c.oid, 'pg_class'), 'grants', {_grants("c.relacl", "r", "c.relowner")})
{_class(_TABLES)}
"""
# Where constraints of NOT NULL exist, one may be not valid yet.
_NOT_NULL_FROM_18 = (
    "CASE WHEN a.attnotnull AND EXISTS (SELECT FROM pg_constraint AS k WHERE k.conrelid = c.oid AND k.contype = 'n'"
    " AND k.conkey = ARRAY[a.attnum] AND NOT k.convalidated) THEN '\"not valid\"' ELSE to_jsonb(a.attnotnull) END"
)


def columns(major: int) -> str:
    """The columns of tables, views and composite types."""
    not_null = _NOT_NULL_FROM_18 if major >= 18 else "to_jsonb(a.attnotnull)"
    return f"""
SELECT {_NAME} || '.' || quote_ident(a.attname), json_build_object(
  'type', format_type(a.atttypid, a.atttypmod), 'not null', {not_null},
  'default', CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END,
  'generated', CASE WHEN a.attgenerated <> '' THEN a.attgenerated::text || ' ' || pg_get_expr(d.adbin, d.adrelid) END,
  'identity', a.attidentity, 'position', row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum),
  'collation', CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END,
  'storage', CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage END, 'compression', a.attcompression,
  'statistics', coalesce(a.attstattarget, -1), 'options', a.attoptions, 'inherited', NOT a.attislocal,
  'comment', col_description(c.oid, a.attnum),
  'grants', CASE WHEN a.attacl IS NOT NULL THEN {_grants("a.attacl", "c", "c.relowner")} END)
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS s ON s.oid = c.relnamespace
JOIN pg_type AS t ON t.oid = a.atttypid LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE {_SCHEMAS} AND c.relkind IN ({_TABLES}, 'v', 'm', 'c') AND a.attnum > 0 AND NOT a.attisdropped
  AND {_not_of_an_extension("pg_class", "c.oid")}
"""


CONSTRAINTS = f"""
SELECT coalesce(nullif(k.conrelid, 0)::regclass::text, k.contypid::regtype::text) || '.' || quote_ident(k.conname),
  json_build_object('definition', pg_get_constraintdef(k.oid), 'valid', k.convalidated, 'local', k.conislocal,
  'enabled', CASE WHEN k.contype IN ('f', 't') OR k.condeferrable  -- no other kind has triggers
     THEN (SELECT bool_and(tgenabled = 'O') FROM pg_trigger WHERE tgconstraint = k.oid) END,
  'comment', obj_description(k.oid, 'pg_constraint'))
FROM pg_constraint AS k JOIN pg_namespace AS s ON s.oid = k.connamespace
WHERE {_SCHEMAS} AND k.contype <> 'n' AND (k.conrelid <> 0 OR k.contypid <> 0)
  AND {_not_of_an_extension("pg_class", "k.conrelid")} AND {_not_of_an_extension("pg_type", "k.contypid")}
"""
INDEXES = f"""
SELECT i.indrelid::regclass || '.' || quote_ident(c.relname), json_build_object(
  'definition', pg_get_indexdef(c.oid), 'valid', i.indisvalid, 'ready', i.indisready,
  'clustered', i.indisclustered, 'replica identity', i.indisreplident,
  'parents', (SELECT jsonb_agg(inhparent::regclass::text) FROM pg_inherits WHERE inhrelid = c.oid),
  'comment', obj_description(c.oid, 'pg_class'))
FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_namespace AS s ON s.oid = c.relnamespace
WHERE {_SCHEMAS} AND {_not_of_an_extension("pg_class", "i.indrelid")}
"""
VIEWS = f"""
SELECT {_NAME}, json_build_object('kind', c.relkind, 'definition', pg_get_viewdef(c.oid), 'options', c.reloptions,
  'comment', obj_description(c.oid, 'pg_class'), 'grants', {_grants("c.relacl", "r", "c.relowner")})
{_class("'v', 'm'")}
"""
SEQUENCES = f"""
SELECT {_NAME}, json_build_object('type', format_type(q.seqtypid, NULL), 'start', q.seqstart,
  'increment', q.seqincrement,
  'minimum', q.seqmin, 'maximum', q.seqmax, 'cache', q.seqcache, 'cycles', q.seqcycle,
  'owned by', (SELECT format('%s.%I', d.refobjid::regclass, a.attname) FROM pg_depend AS d
     JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
     AND d.refclassid = 'pg_class'::regclass LIMIT 1),
  'comment', obj_description(c.oid, 'pg_class'), 'grants', {_grants("c.relacl", "s", "c.relowner")})
FROM pg_sequence AS q JOIN pg_class AS c ON c.oid = q.seqrelid JOIN pg_namespace AS s ON s.oid = c.relnamespace
WHERE {_SCHEMAS} AND {_not_of_an_extension("pg_class", "c.oid")}
"""
FUNCTIONS = f"""
SELECT format('%I.%I(%s)', s.nspname, p.proname, pg_get_function_identity_arguments(p.oid)), json_build_object(
  'kind', p.prokind, 'definition', CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END,
  'aggregate', CASE WHEN p.prokind = 'a' THEN (SELECT concat_ws(' ', g.aggtransfn, g.aggfinalfn, g.aggcombinefn,
     format_type(g.aggtranstype, NULL), g.agginitval, g.aggsortop) FROM pg_aggregate AS g WHERE g.aggfnoid = p.oid) END,
  'comment', obj_description(p.oid, 'pg_proc'), 'grants', {_grants("p.proacl", "f", "p.proowner")})
FROM pg_proc AS p JOIN pg_namespace AS s ON s.oid = p.pronamespace
WHERE {_SCHEMAS} AND {_not_of_an_extension("pg_proc", "p.oid")}
"""
TRIGGERS = f"""
SELECT g.tgrelid::regclass || '.' || quote_ident(g.tgname), json_build_object('definition', pg_get_triggerdef(g.oid),
  'enabled', g.tgenabled, 'comment', obj_description(g.oid, 'pg_trigger'))
FROM pg_trigger AS g JOIN pg_class AS c ON c.oid = g.tgrelid JOIN pg_namespace AS s ON s.oid = c.relnamespace
WHERE {_SCHEMAS} AND NOT g.tgisinternal AND {_not_of_an_extension("pg_trigger", "g.oid")}
"""
RULES = f"""
SELECT r.ev_class::regclass || '.' || quote_ident(r.rulename), json_build_object('definition', pg_get_ruledef(r.oid),
  'enabled', r.ev_enabled)
FROM pg_rewrite AS r JOIN pg_class AS c ON c.oid = r.ev_class JOIN pg_namespace AS s ON s.oid = c.relnamespace
WHERE {_SCHEMAS} AND r.rulename <> '_RETURN' AND {_not_of_an_extension("pg_rewrite", "r.oid")}
"""
POLICIES = f"""
SELECT p.polrelid::regclass || '.' || quote_ident(p.polname), json_build_object('command', p.polcmd,
  'permissive', p.polpermissive, 'using', pg_get_expr(p.polqual, p.polrelid),
  'check', pg_get_expr(p.polwithcheck, p.polrelid),
  'roles', (SELECT jsonb_agg(coalesce(rolname, 'PUBLIC') ORDER BY rolname) FROM unnest(p.polroles) AS role
     LEFT JOIN pg_roles ON pg_roles.oid = role), 'comment', obj_description(p.oid, 'pg_policy'))
FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid JOIN pg_namespace AS s ON s.oid = c.relnamespace
WHERE {_SCHEMAS}
"""
# A table's row type, and the array of any type, come with it.
TYPES = f"""
SELECT format('%I.%I', s.nspname, t.typname), json_build_object('kind', t.typtype,
  'labels', (SELECT jsonb_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid),
  'base', CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END,
  'not null', t.typnotnull, 'default', t.typdefault,
  'collation', CASE WHEN t.typtype = 'd' AND t.typcollation <> 0 THEN t.typcollation::regcollation::text END,
  'subtype', (SELECT format_type(rngsubtype, NULL) FROM pg_range WHERE rngtypid = t.oid),
  'comment', obj_description(t.oid, 'pg_type'), 'grants', {_grants("t.typacl", "T", "t.typowner")})
FROM pg_type AS t JOIN pg_namespace AS s ON s.oid = t.typnamespace LEFT JOIN pg_class AS c ON c.oid = t.typrelid
WHERE {_SCHEMAS} AND t.typtype IN ('e', 'd', 'r', 'c', 'b') AND (c.oid IS NULL OR c.relkind = 'c')
  AND NOT EXISTS (SELECT FROM pg_type AS element WHERE element.typarray = t.oid)
  AND {_not_of_an_extension("pg_type", "t.oid")}
"""
STATISTICS = f"""
SELECT format('%I.%I', s.nspname, x.stxname), json_build_object('definition', pg_get_statisticsobjdef(x.oid),
  'target', coalesce(x.stxstattarget, -1), 'comment', obj_description(x.oid, 'pg_statistic_ext'))
FROM pg_statistic_ext AS x JOIN pg_namespace AS s ON s.oid = x.stxnamespace WHERE {_SCHEMAS}
"""
EVENT_TRIGGERS = f"""
SELECT quote_ident(evtname), json_build_object('event', evtevent, 'function', evtfoid::regprocedure::text,
  'enabled', evtenabled, 'tags', evttags)
FROM pg_event_trigger WHERE {_not_of_an_extension("pg_event_trigger", "pg_event_trigger.oid")}
"""
DEFAULT_GRANTS = """
SELECT format('%s %s %s', defaclrole::regrole, nullif(defaclnamespace, 0)::regnamespace, defaclobjtype),
  json_build_object('grants', defaclacl::text[])
FROM pg_default_acl
"""
_FIRST_OF_USERS = 16384
_OTHERS = (
    *("pg_collation", "pg_conversion", "pg_operator", "pg_opclass", "pg_opfamily", "pg_cast", "pg_language"),
    *("pg_ts_config", "pg_ts_dict", "pg_ts_parser", "pg_ts_template", "pg_publication", "pg_foreign_data_wrapper"),
    *("pg_foreign_server", "pg_transform"),
)  # fmt: skip
OTHERS = "\nUNION ALL\n".join(
    f"SELECT (pg_identify_object('{catalog}'::regclass, o.oid, 0)).type || ' '"
    f" || (pg_identify_object('{catalog}'::regclass, o.oid, 0)).identity,"
    f" json_build_object('comment', obj_description(o.oid, '{catalog}')) FROM {catalog} AS o"
    f" WHERE o.oid >= {_FIRST_OF_USERS} AND {_not_of_an_extension(catalog, 'o.oid')}"
    for catalog in _OTHERS
)
"""Kinds of which only the existence and the comment are told."""


def queries(major: int) -> dict[str, str]:
    """The queries of all kinds, by kind, for a server of a major version."""
    return {
        "schema": SCHEMAS,
        "extension": EXTENSIONS,
        "table": TABLES,
        "column": columns(major),
        "constraint": CONSTRAINTS,
        "index": INDEXES,
        "view": VIEWS,
        "sequence": SEQUENCES,
        "function": FUNCTIONS,
        "trigger": TRIGGERS,
        "rule": RULES,
        "policy": POLICIES,
        "type": TYPES,
        "statistics": STATISTICS,
        "event trigger": EVENT_TRIGGERS,
        "default grants": DEFAULT_GRANTS,
        "object": OTHERS,
    }


KINDS = tuple(queries(0))
"""The kinds of objects."""
