"""stewardd: the daemon between a company's services and their PostgreSQL."""

__version__ = "0.1.0"
