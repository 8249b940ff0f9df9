"""The keys of backups: age keys, to which they are encrypted, and Ed25519 keys, with which manifests are signed."""
