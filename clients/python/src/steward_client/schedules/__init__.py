"""ScheduleService: schedules of backups."""
