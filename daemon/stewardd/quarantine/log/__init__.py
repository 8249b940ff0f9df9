"""The log of a batch: numbered commits, the state that they add up to, and the history of each row."""
