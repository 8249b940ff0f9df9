"""What a restore asks of a server, and does on it: facts, databases, roles, the swap of two databases."""
