"""QuarantineService: rows that did not pass, how they are corrected, exported, retried, purged and erased."""
