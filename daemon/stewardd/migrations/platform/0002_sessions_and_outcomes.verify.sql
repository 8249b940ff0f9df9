-- Each query gives one row, whose values must all be true.

-- steward: after up

SELECT bool_and(to_regclass(name) IS NOT NULL) AS every_table_is_there
FROM unnest(ARRAY[
    'kintell_sessions',
    'learning_progress',
    'outcome_scores',
    'evidence_snippets',
    'metrics_company_period',
    'safety_flags'
]) AS name;

SELECT
    count(*) = 65 AS every_column_is_there,
    bool_and(col_description(attrelid, attnum) <> '') AS every_column_has_a_comment
FROM pg_attribute
WHERE attrelid = ANY (ARRAY[
    'kintell_sessions',
    'learning_progress',
    'outcome_scores',
    'evidence_snippets',
    'metrics_company_period',
    'safety_flags'
]::regclass[])
    AND attnum > 0 AND NOT attisdropped;

SELECT
    count(*) FILTER (WHERE contype = 'p') = 6 AS every_primary_key_is_there,
    count(*) FILTER (WHERE contype = 'u') = 2 AS every_unique_key_is_there,
    count(*) FILTER (WHERE contype = 'f') = 6 AS every_foreign_key_is_there,
    count(*) FILTER (WHERE contype = 'c') = 13 AS every_check_is_there,
    bool_and(convalidated) AS all_are_valid
FROM pg_constraint
WHERE conrelid = ANY (ARRAY[
    'kintell_sessions',
    'learning_progress',
    'outcome_scores',
    'evidence_snippets',
    'metrics_company_period',
    'safety_flags'
]::regclass[]);

SELECT count(*) = 20 AS every_index_is_there, bool_and(indisvalid) AS all_are_valid
FROM pg_index
WHERE indrelid = ANY (ARRAY[
    'kintell_sessions',
    'learning_progress',
    'outcome_scores',
    'evidence_snippets',
    'metrics_company_period',
    'safety_flags'
]::regclass[]);

-- Deleting a row that others refer to would read their whole tables without an index that begins with the key.
SELECT count(*) = 0 AS every_foreign_key_has_an_index
FROM pg_constraint AS key
WHERE key.conrelid = ANY (ARRAY[
    'kintell_sessions',
    'learning_progress',
    'outcome_scores',
    'evidence_snippets',
    'metrics_company_period',
    'safety_flags'
]::regclass[])
    AND key.contype = 'f'
    AND NOT EXISTS (
        SELECT FROM pg_index AS served WHERE served.indrelid = key.conrelid AND served.indkey[0] = key.conkey[1]
    );

-- steward: after down

SELECT bool_and(to_regclass(name) IS NULL) AS no_table_is_left
FROM unnest(ARRAY[
    'kintell_sessions',
    'learning_progress',
    'outcome_scores',
    'evidence_snippets',
    'metrics_company_period',
    'safety_flags'
]) AS name;

SELECT bool_and(to_regclass(name) IS NOT NULL) AS what_came_before_is_left
FROM unnest(ARRAY[
    'users',
    'companies',
    'company_users',
    'program_enrollments',
    'external_id_mappings'
]) AS name;
