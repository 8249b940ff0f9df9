"""ValidateBatch over loopback: the daemon, a bare sink beside it, what sends to them, what asks for Health."""
