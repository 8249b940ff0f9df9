"""Migrations: sets of files, what of them a database has, applying and rolling back, and the proof that both work.

Knows no psycopg: what speaks to a database stands in postgres/migrating and postgres/catalog.
"""
