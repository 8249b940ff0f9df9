-- Takes back 0002_sessions_and_outcomes.up.sql: tables that refer to others go first, so that no drop needs CASCADE.

DROP TABLE safety_flags;
DROP TABLE metrics_company_period;
DROP TABLE evidence_snippets;
DROP TABLE outcome_scores;
DROP TABLE learning_progress;
DROP TABLE kintell_sessions;
