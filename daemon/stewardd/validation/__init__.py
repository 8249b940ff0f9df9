"""Validation of batches: what comes in is judged row by row, and becomes visible whole or not at all."""
