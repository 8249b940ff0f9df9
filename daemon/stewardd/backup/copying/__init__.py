"""Backups on the way between two repositories: copies in a second one after each backup, and imports from it.

What is copied are the objects as they are stored, under the same keys, each compared with the manifest's checksum; the
manifest comes last, byte for byte, so that its signature holds there too.
"""
