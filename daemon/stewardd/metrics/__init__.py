"""What the daemon measures of itself, for Prometheus.

Each file declares the metrics of one area and holds what counts them. The domains do not know this package: they call
plain hooks, or are read at a scrape; the app connects the two. docs/metrics.md is generated from the declarations.
"""
