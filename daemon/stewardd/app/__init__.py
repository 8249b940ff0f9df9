"""Builds the daemon: one file a capability, and `daemon.py`, which calls them in the order in which the daemon starts.

A builder makes the objects of its capability by hand, and hands the assembly what it is served, probed and scheduled by
(`assembly.py`). Nothing else in the daemon makes these objects or finds them by itself.
"""
