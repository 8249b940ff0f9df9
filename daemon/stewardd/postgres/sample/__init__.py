"""Rows that are made up for a schema, and what a change of the schema does to their values."""
