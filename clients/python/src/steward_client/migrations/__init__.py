"""Migrations: MigrationService."""
