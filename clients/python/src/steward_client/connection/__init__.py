"""The connection to one daemon: its address and channel, one call, deadlines and retries, and errors from statuses."""
