"""A call of the contract as a value: where it goes, what it sends, and what is made of the answer.

Both clients send the same calls; they differ only in how they wait for the answers.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from google.protobuf.message import Message

M = TypeVar("M", bound=Message)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call(Generic[M, T]):
    """One request with one answer, or with a stream of answers: `result` is made of each."""

    path: str
    """The method, as `/package.Service/Method`."""
    request: Message
    answer: type[M]
    result: Callable[[M], T]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of a listing; `next_token` is empty on the last."""

    items: tuple[T, ...]
    next_token: str


Pages = Callable[[str], Call[M, Page[T]]]
"""From a page token to the call for that page."""


def new_request_id() -> str:
    """Returns an id that no other request has."""
    return str(uuid.uuid4())
