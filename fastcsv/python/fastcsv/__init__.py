"""Validates CSV against JSON Schema, and quarantines the rows that fail."""
