"""The names under which the sessions of a dump are seen on the server (application_name)."""

SNAPSHOT_SESSION = "stewardd snapshot"
DUMP_SESSION = "stewardd backup"
PROOF_SESSION = "stewardd backup proof"
WATCH_SESSION = "stewardd backup watch"
