"""Validation of batches: every row is checked by a schema, and a batch becomes visible as a whole or not at all."""
