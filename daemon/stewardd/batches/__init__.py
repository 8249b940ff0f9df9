"""Published batches: what validation publishes and the quarantine works on.

`manifest.py` is the document that makes a batch exist, `file.py` a file that it names, `catalog.py` finds batches,
`filter.py` chooses among them, `states.py` holds the states of their quarantined rows, and `summary.py` counts those.
Nothing here writes.
"""
