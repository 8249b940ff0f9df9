"""What the options of a bucket are for: its store, the HTTP client, or how often a request is repeated.

Users think of them together, and the settings have them together. A request is repeated after an error of the storage
or of the network until `max_retries` or `retry_timeout` is reached, and each attempt may take `timeout`: so no call
takes longer than the two times together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from stewardd.errors import ConfigurationError

_OF_CLIENT: dict[str, str] = {"timeout": "60s", "connect_timeout": "5s"}
_CLIENT_OPTIONS = frozenset({*_OF_CLIENT, "allow_http", "proxy_url", "root_certificate"})
_OF_RETRIES = {"max_retries": "5", "retry_timeout": "60s"}

_TRUE = frozenset({"1", "true", "on", "yes", "y"})
_ENDPOINTS = re.compile(
    r"(aws_|azure_|azure_storage_|google_)?(endpoint|endpoint_url|base_url)", re.IGNORECASE
)
_DURATION = re.compile(r"(\d{1,6})(ms|s|m|h)")
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class BucketOptions:
    """The options of one bucket, each with those that it goes to."""

    store: dict[str, str]
    client: dict[str, str]
    max_retries: int
    retry_timeout: timedelta


def sort_options(url: str, options: Mapping[str, str]) -> BucketOptions:
    """Sorts the options of the bucket at `url`, and adds the defaults.

    An endpoint that begins with http:// is meant, and needs no `allow_http`.

    Raises: ConfigurationError for a number or a duration that is none, and an endpoint that `allow_http` forbids.
    """
    client = {
        **_OF_CLIENT,
        **{name: value for name, value in options.items() if name in _CLIENT_OPTIONS},
    }
    if _endpoint_is_plain(url, options):
        client["allow_http"] = "true"
    retries = {**_OF_RETRIES, **{name: options[name] for name in _OF_RETRIES if name in options}}
    for name in _OF_CLIENT:
        _duration(url, name, client[name])
    return BucketOptions(
        store={
            name: value
            for name, value in options.items()
            if name not in _CLIENT_OPTIONS and name not in _OF_RETRIES
        },
        client=client,
        max_retries=_number(url, "max_retries", retries["max_retries"]),
        retry_timeout=_duration(url, "retry_timeout", retries["retry_timeout"]),
    )


def _endpoint_is_plain(url: str, options: Mapping[str, str]) -> bool:
    plain = [
        name
        for name, value in options.items()
        if _ENDPOINTS.fullmatch(name) and value.lower().startswith("http://")
    ]
    if plain and options.get("allow_http", "true").lower() not in _TRUE:
        raise ConfigurationError(
            f"{url} cannot be opened: {plain[0]} begins with http://, and allow_http is not true",
            hint="take `allow_http` out of the options, or name an endpoint that begins with https://",
        )
    return bool(plain)


def _number(url: str, name: str, value: str) -> int:
    if not value.isascii() or not value.isdigit() or int(value) > 100:
        raise ConfigurationError(
            f"{url} cannot be opened: the option {name} is no number from 0 to 100"
        )
    return int(value)


def _duration(url: str, name: str, value: str) -> timedelta:
    found = _DURATION.fullmatch(value)
    if found is None or found[1].strip("0") == "":
        raise ConfigurationError(
            f"{url} cannot be opened: the option {name} is no duration",
            hint=f'write a number and a unit: {name} = "30s", "500ms", "2m"',
        )
    return timedelta(seconds=int(found[1]) * _UNITS_S[found[2]])
