"""Schedules of backups: when each is due (timing), what is stored of them (schedule, book, runs), and running them."""
