"""The codec of stored documents: the one way from a dataclass to its JSON object, and back.

A document is UTF-8, compact, its members in the order of the dataclass, with a newline at the end. It is read strictly:
a member of another type, out of its bounds or missing is Corrupt; a number that is text is no number. Members that this
version does not know are left alone, since a newer daemon may add some, and a member that is added has a default, so
that older documents stay readable. What changes the meaning of a document changes its version number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import from_json

from stewardd.errors import Corrupt, DocumentTooNew
from stewardd.repository.backend.keys import is_segment, key_segments
from stewardd.repository.identifiers import is_id

T = TypeVar("T")
_MOST_SECONDS = 1e9  # thirty years; a longer time overflows a timedelta somewhere


def timestamp(moment: datetime) -> str:
    """A moment as RFC 3339, with its offset; `datetime.fromisoformat` reads it."""
    return moment.isoformat(timespec="microseconds")


def _moment(value: object) -> datetime:
    # pydantic's own type would take "12" for the twelfth second of 1970.
    if not isinstance(value, str):
        raise ValueError("is no time")  # noqa: TRY004  # pydantic takes a ValueError
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError("is a time without a zone")
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is no time") from None


def _identifier(value: str) -> str:
    if not is_id(value):
        raise ValueError("is no identifier")
    return value


def _object_name(value: str) -> str:
    if not is_segment(value):
        raise ValueError("is no name of an object")
    return value


def _key(value: str) -> str:
    key_segments(value)
    return value


def _key_or_nothing(value: str) -> str:
    return _key(value) if value else value


def _only_json(value: dict[str, Any]) -> dict[str, Any]:
    """Refuses what is no JSON: pydantic reads NaN, and writes whatever it is given in some way."""
    found: dict[str, Any] = json.loads(json.dumps(value, allow_nan=False))
    return found


# The types of members, beside `str` and `bool`. They hold where a document is read, not where the program makes one.
Count = Annotated[int, Field(ge=0, lt=1 << 53)]  # what every reader of JSON keeps exactly
Crc32c = Annotated[int, Field(ge=0, lt=1 << 32)]
Seconds = Annotated[float, Field(ge=0, le=_MOST_SECONDS)]
Moment = Annotated[datetime, PlainValidator(_moment), PlainSerializer(timestamp)]
Identifier = Annotated[str, AfterValidator(_identifier)]
ObjectName = Annotated[str, AfterValidator(_object_name)]
Key = Annotated[str, AfterValidator(_key)]
KeyOrNothing = Annotated[str, AfterValidator(_key_or_nothing)]
JsonObject = Annotated[dict[str, Any], AfterValidator(_only_json), PlainSerializer(_only_json)]
# For members that are not always written.
NOT_STORED = Field(exclude=True)  # the program fills it in after reading
LEFT_OUT_IF_NONE = Field(exclude_if=lambda value: value is None)
LEFT_OUT_IF_EMPTY = Field(exclude_if=lambda value: value is None or value in (False, ""))


class Codec(Generic[T]):
    """Writes and reads the documents of one dataclass.

    `constants` are members of every document that are not of the dataclass; the first is its version.
    """

    def __init__(self, cls: type[T], *, constants: Mapping[str, Any] | None = None) -> None:
        self._cls = cls
        self._constants = dict(constants or {})
        self._head = _compact(self._constants)[:-1] + b"," if self._constants else b""

    @cached_property
    def _adapter(self) -> TypeAdapter[T]:
        # Made when it is first needed: a start of the daemon needs few of the thirty, and each takes milliseconds.
        return TypeAdapter(self._cls)

    def encode(self, value: T) -> bytes:
        """Writes a document. Raises: ValueError where the value holds what is no JSON."""
        body = self._adapter.dump_json(value, by_alias=True)
        return (self._head + body[1:] if self._head else body) + b"\n"

    def decode(self, body: bytes, key: str) -> T:
        """Reads the document that stands under `key`. Raises: Corrupt."""
        # What the codec wrote begins with its constants. Of any other body the version is read first.
        if not body.startswith(self._head):
            self._check_version(body, key)
        try:
            return self._adapter.validate_json(body, strict=True)
        except ValidationError as error:
            self._check_version(body, key)
            raise Corrupt(f"{key} {_fault(error)}") from None

    def to_json(self, value: T) -> dict[str, Any]:
        """Returns the document as a JSON object, to be a part of another document."""
        found: dict[str, Any] = json.loads(self.encode(value))
        return found

    def from_json(self, found: Any, key: str) -> T:
        """Reads a document that is a part of the one under `key`. Raises: Corrupt."""
        try:
            body = _compact(found)
        except ValueError:
            raise Corrupt(f"{key} holds a number that is none") from None
        return self.decode(body, key)

    def _check_version(self, body: bytes, key: str) -> None:
        if not self._constants:
            return
        name, version = next(iter(self._constants.items()))
        try:
            found = from_json(body)
        except ValueError:
            raise Corrupt(f"{key} is no JSON document") from None
        if not isinstance(found, dict):
            raise Corrupt(f"{key} is no JSON object")
        number = found.get(name)
        if type(number) is not int:  # exactly: True is no number here
            raise Corrupt(f"{key} has no {name}")
        if number != version:
            error = DocumentTooNew if number > version else Corrupt
            raise error(f"{key} is of {name} {number}, and this daemon reads {version}")


# The body of an object that has no members: that it exists is all that is read of it.
MARK = b"{}\n"


def _compact(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _fault(error: ValidationError) -> str:
    """The first thing that is wrong: where, and what, without the value."""
    found = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if found["type"] == "json_invalid":
        return "is no JSON document"
    where = ".".join(str(each) for each in found["loc"])
    what = found["msg"].removeprefix("Value error, ")
    what = what[:1].lower() + what[1:]
    return f"cannot be read: {where} {what}" if where else f"cannot be read: {what}"
