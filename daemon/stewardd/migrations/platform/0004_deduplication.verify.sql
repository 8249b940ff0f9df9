-- Each query gives one row, whose values must all be true.

-- steward: after up

SELECT bool_and(to_regclass(name) IS NOT NULL) AS every_table_is_there
FROM unnest(ARRAY[
    'event_deduplication',
    'webhook_deduplication',
    'api_request_deduplication'
]) AS name;

SELECT
    count(*) = 33 AS every_column_is_there,
    bool_and(col_description(attrelid, attnum) <> '') AS every_column_has_a_comment
FROM pg_attribute
WHERE attrelid = ANY (ARRAY[
    'event_deduplication',
    'webhook_deduplication',
    'api_request_deduplication'
]::regclass[])
    AND attnum > 0 AND NOT attisdropped;

SELECT
    count(*) FILTER (WHERE contype = 'p') = 3 AS every_primary_key_is_there,
    count(*) FILTER (WHERE contype = 'u') = 3 AS every_unique_key_is_there,
    count(*) FILTER (WHERE contype = 'f') = 1 AS every_foreign_key_is_there,
    count(*) FILTER (WHERE contype = 'c') = 0 AS every_check_is_there,
    bool_and(convalidated) AS all_are_valid
FROM pg_constraint
WHERE conrelid = ANY (ARRAY[
    'event_deduplication',
    'webhook_deduplication',
    'api_request_deduplication'
]::regclass[]);

SELECT count(*) = 15 AS every_index_is_there, bool_and(indisvalid) AS all_are_valid
FROM pg_index
WHERE indrelid = ANY (ARRAY[
    'event_deduplication',
    'webhook_deduplication',
    'api_request_deduplication'
]::regclass[]);

-- Deleting a row that others refer to would read their whole tables without an index that begins with the key.
SELECT count(*) = 0 AS every_foreign_key_has_an_index
FROM pg_constraint AS key
WHERE key.conrelid = ANY (ARRAY[
    'event_deduplication',
    'webhook_deduplication',
    'api_request_deduplication'
]::regclass[])
    AND key.contype = 'f'
    AND NOT EXISTS (
        SELECT FROM pg_index AS served WHERE served.indrelid = key.conrelid AND served.indkey[0] = key.conkey[1]
    );

-- The rollback drops without CASCADE: nothing outside of the three tables may depend on them.
SELECT count(*) = 0 AS no_foreign_key_of_another_table_leads_here
FROM pg_constraint
WHERE contype = 'f' AND confrelid = ANY (ARRAY[
    'event_deduplication',
    'webhook_deduplication',
    'api_request_deduplication'
]::regclass[]);

SELECT count(*) = 0 AS no_view_reads_them
FROM pg_depend AS edge
JOIN pg_rewrite AS rule ON edge.classid = 'pg_rewrite'::regclass AND edge.objid = rule.oid
WHERE edge.refclassid = 'pg_class'::regclass
    AND edge.refobjid = ANY (ARRAY[
    'event_deduplication',
    'webhook_deduplication',
    'api_request_deduplication'
]::regclass[])
    AND rule.ev_class <> ALL (ARRAY[
    'event_deduplication',
    'webhook_deduplication',
    'api_request_deduplication'
]::regclass[]);

-- steward: after down

SELECT bool_and(to_regclass(name) IS NULL) AS no_table_is_left
FROM unnest(ARRAY[
    'event_deduplication',
    'webhook_deduplication',
    'api_request_deduplication'
]) AS name;

SELECT count(*) = 0 AS no_index_or_sequence_is_left
FROM pg_class
WHERE relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'users'::regclass)
    AND relname ~ '^(event|webhook|api_request)_deduplication';

SELECT count(*) = 0 AS no_constraint_is_left
FROM pg_constraint
WHERE connamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'users'::regclass)
    AND conname ~ '^(event|webhook|api_request)_deduplication';

SELECT to_regclass('users') IS NOT NULL AS the_table_that_they_referred_to_is_left;

SELECT bool_and(to_regclass(name) IS NOT NULL) AS what_came_before_is_left
FROM unnest(ARRAY[
    'buddy_matches',
    'buddy_events',
    'buddy_checkins',
    'buddy_feedback'
]) AS name;
