"""msgspec: `python -m benchmarks.peers.payloads.with_msgspec SCHEMAS PAYLOADS SECONDS`.

It reads JSON into the types of msgspec_types.py and stops at the first error. What it has no type for, addresses and
URLs, are patterns.
"""

import msgspec

from benchmarks.peers.payloads.judging import Judge, main
from benchmarks.peers.payloads.msgspec_types import TYPES


def judge_of(name: str, _document: bytes) -> Judge:
    """Return what judges payloads of a schema."""
    decode = msgspec.json.Decoder(TYPES[name]).decode

    def judge(text: bytes) -> int:
        try:
            decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return 1
        return 0

    return judge


if __name__ == "__main__":
    main(judge_of)
