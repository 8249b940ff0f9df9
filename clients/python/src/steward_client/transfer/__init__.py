"""Files on their way to the daemon and back: the source of an upload, the upload, and part files of downloads."""
