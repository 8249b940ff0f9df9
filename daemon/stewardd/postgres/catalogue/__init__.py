"""What a database has beside its rows, read from pg_catalog in one canonical form, and compared."""
