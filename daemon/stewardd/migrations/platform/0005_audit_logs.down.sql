-- Takes back 0005_audit_logs.up.sql: tables that refer to others go first, so that no drop needs CASCADE.

DROP TABLE audit_logs;
