"""ScheduleService: schedules of backups over gRPC."""
