"""The HTTP port of a daemon, asked as Prometheus and a kubelet ask it."""

from __future__ import annotations

import http.client
from dataclasses import dataclass

from prometheus_client.metrics_core import Metric as Family
from prometheus_client.parser import text_string_to_metric_families

WEB = {"STEWARDD_WEB__LISTEN": "127.0.0.1:0"}
TIMEOUT_S = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: its status, its headers by their small names, and its body."""

    status: int
    headers: dict[str, str]
    text: str


def get(address: str, path: str, method: str = "GET", headers: dict[str, str] | None = None):
    """Asks once, on a connection of its own."""
    connection = http.client.HTTPConnection(address, timeout=TIMEOUT_S)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, found, answer.read().decode())
    finally:
        connection.close()


def scrape(address: str) -> list[Family]:
    """Every family of metrics, with its samples."""
    answer = get(address, "/metrics")
    assert answer.status == 200, answer.text
    return list(text_string_to_metric_families(answer.text))


def value(address: str, name: str, **labels: str) -> float:
    """One sample's value; one that is not there fails the test."""
    (found,) = [
        sample.value
        for family in scrape(address)
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    ]
    return found
