"""The files of a batch: their formats, and how worker threads read them from the repository."""
