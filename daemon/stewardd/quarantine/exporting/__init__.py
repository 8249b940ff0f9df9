"""Exporting rows as files: sheets for people, and good rows for the services that import them."""
