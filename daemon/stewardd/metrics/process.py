"""The process, under the names that every Prometheus client library gives them: prometheus-client reads /proc."""

from __future__ import annotations

from stewardd.metrics.metric import Kind, Metric

METRICS = (
    Metric("process_cpu_seconds_total", Kind.COUNTER, "User and system CPU time spent."),
    Metric("process_resident_memory_bytes", Kind.GAUGE, "Resident memory."),
    Metric("process_virtual_memory_bytes", Kind.GAUGE, "Virtual memory."),
    Metric("process_start_time_seconds", Kind.GAUGE, "When it started, in seconds since 1970."),
    Metric("process_open_fds", Kind.GAUGE, "Open file descriptors."),
    Metric("process_max_fds", Kind.GAUGE, "File descriptors that it may open."),
)
