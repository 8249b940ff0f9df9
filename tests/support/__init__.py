"""What tests share: a real daemon process, folders that its PostgreSQL can reach."""
