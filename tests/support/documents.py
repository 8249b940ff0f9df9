"""A codec for documents of any members, for tests that do not care which they are."""

from typing import Any

from stewardd.repository.document import Codec

ANYTHING: Codec[dict[str, Any]] = Codec(dict[str, Any])
