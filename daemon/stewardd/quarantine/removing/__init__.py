"""Removing data for good: purges of closed rows, and the erasure of a person. Both write a batch's files anew."""
