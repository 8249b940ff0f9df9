"""Backups of the target databases in the repository: making them, finding them, reading them back.

A backup exists when its manifest does. Nothing here speaks to PostgreSQL or to object storage but through
`stewardd.postgres` and `stewardd.repository`.
"""
