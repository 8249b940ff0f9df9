"""What a backup says of itself: the manifest that makes it exist, its signature, and older versions of it."""
