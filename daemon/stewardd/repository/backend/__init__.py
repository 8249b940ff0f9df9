"""Where the repository's objects lie: one folder for each backend, and one list of them.

`store.py` is what every backend promises, `keys.py` says which keys there are, `folder/` and `bucket/` are the
backends, `all.py` lists them and opens the one that a URL names. No backend knows another, and none knows what the
objects mean: leases, publications and logs stand above, in the repository.
"""
