"""The HTTP port: /metrics for Prometheus, /livez and /readyz for whatever watches processes. Nothing else is served."""
