"""Measures steward beside its peers, in one run: `make bench`. RESULTS.md keeps the last; nothing here is a test."""
