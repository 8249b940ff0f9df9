"""Published batches: what validation publishes and the quarantine works on.

`manifest.py` is what a batch says of itself, `catalog.py` finds batches, `filter.py` chooses among them, `states.py`
holds what has become of their quarantined rows, and `summary.py` counts that. Nothing here writes.
"""
