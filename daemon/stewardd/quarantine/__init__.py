"""The quarantine: rows that did not pass, kept as they came until someone puts them right.

Pure: `states.py` the states in four bytes a row, `commit.py` what a log holds, `fold.py` what it comes to. Reading:
`lines.py` finds rows, `events.py` what happened to them, `rows.py` both together, `listing.py` pages, `stats.py`
counts. Changing: `ledger.py` is the compare-and-swap, `judge.py` the engine; `corrections.py` and, by `bulk.py`,
`resubmission.py` and `retry.py` move rows; `rewriting.py` takes out what `purge.py` and `erasure.py` say. What goes
out: `sheet.py` for people, `good_rows.py` and `exports.py` for services.
"""
