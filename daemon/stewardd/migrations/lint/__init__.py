"""Linting a set of migrations: what squawk says of its statements, what it cannot see, and what a trial shows."""
