"""Encrypts backups anew when the recipients have changed: each is replaced by a new backup of the same data."""
