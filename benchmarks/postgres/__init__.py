"""What stands between a caller and PostgreSQL, measured."""
