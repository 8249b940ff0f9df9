"""Changing quarantined rows: corrections, discards, edited sheets and retries. Each change is a commit of the log."""
