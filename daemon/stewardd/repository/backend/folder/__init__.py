"""The backend for a folder of a local file system.

`store.py` is the asynchronous shell, `tree.py` the blocking core, `entries.py` what it does with one folder, and
`trial.py` what a file system must be able to do.
"""
