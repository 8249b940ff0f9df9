"""Which backups are kept, which go, and why: pure decisions (policy, plan, purge), and what carries them out."""
