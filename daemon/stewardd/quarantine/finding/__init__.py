"""Finding quarantined rows: one row with its history, pages of rows, and statistics. Nothing here changes a row."""
