"""The quarantine: rows that did not pass validation. They are kept as they came until someone corrects or removes them.

    operations      starts what takes long: retry, purge, erasure
    changing        corrections, edited sheets, retries        exporting        removing      independent of each other
    finding         rows with their history, listings, statistics
    log             the commits of a batch, the state that they add up to, and the events of its rows
    files           how the files of a batch are read, on worker threads

Imports go downwards only; pyproject.toml holds them to it.
"""
