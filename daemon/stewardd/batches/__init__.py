"""Published batches: what validation publishes and the quarantine works on.

`manifest.py` is the description of a batch, `file.py` a file that it names, `catalog.py` finds batches, `filter.py`
selects some, `states.py` holds the states of their quarantined rows, and `summary.py` the counts of these. Nothing
here writes to the repository.
"""
