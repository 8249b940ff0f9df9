"""What the blocking client is made of: its connection, and the methods of one service a file."""
