"""Values of every type, made up: as text that PostgreSQL reads as that type. A pure function of its arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from random import Random

_Maker = Callable[[int, list[int], Random], str]
_TYPE = re.compile(
    r"(?P<name>[^(\[]+?)\s*(?:\((?P<modifier>[\d, -]+)\))?(?P<rest>[^\[(]*)(?P<array>(?:\[\])*)"
)
_LONG_TEXT = 40
_INTEGERS = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}
_LOWEST_SHARE = (
    0.2  # of values that a check's own literals give, however many other candidates there are
)


def value_for(type_name: str, serial: int, random: Random) -> str | None:
    """A value of a type, the next one for each serial number; None for a type that nothing is known of."""
    maker, modifier, depth = _maker_of(type_name)
    if maker is None:
        return None
    made = maker(serial, modifier, random)
    for _ in range(depth):
        made = "{" + _quoted_element(made) + "}"
    return made


@lru_cache(maxsize=1024)
def _maker_of(type_name: str) -> tuple[_Maker | None, list[int], int]:
    """What makes values of a type, or None; its modifier, and how many dimensions it has."""
    found = _TYPE.fullmatch(type_name)
    if found is None:
        return None, [], 0
    name = f"{found['name']}{found['rest']}".strip()
    modifier = [int(part) for part in (found["modifier"] or "").split(",") if part.strip()]
    return _MAKERS.get(name.strip('"')), modifier, len(found["array"]) // len("[]")


def candidates_for(literals: Sequence[str], type_name: str, random: Random) -> str:
    """A value that a check may ask for: one of its literals, or, of numbers, one in between."""
    numbers = [float(each) for each in literals if _is_number(each)]
    is_numeric = type_name.startswith(
        ("smallint", "integer", "bigint", "numeric", "real", "double")
    )
    if not numbers or not is_numeric or random.random() < _LOWEST_SHARE:
        return random.choice(literals)
    between = random.uniform(min(numbers), max(numbers) + (len(set(numbers)) == 1) * 100)
    if type_name in _INTEGERS:
        return str(round(between))
    found = _TYPE.fullmatch(type_name)
    modifier = found["modifier"] if found else None
    scale = int(modifier.split(",")[1]) if modifier and "," in modifier else 3
    return f"{between:.{scale}f}"


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?", text) is not None


def _text(serial: int, modifier: list[int], random: Random) -> str:
    longest = modifier[0] if modifier else _LONG_TEXT
    text = f"{serial:x}-é{random.getrandbits(40):010x} '\\"
    return text if len(text) <= longest else _short(serial, longest)


def _short(serial: int, longest: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    text = ""
    while len(text) < longest:
        text += digits[serial % len(digits)]
        serial //= len(digits)
        if not serial:
            break
    return text


def _numeric(serial: int, modifier: list[int], random: Random) -> str:
    precision, scale = [*modifier, 0][:2] if modifier else (12, 3)
    whole = serial % 10 ** max(min(precision - scale, 9), 0)
    return f"{whole}.{random.randrange(10**scale):0{scale}}" if scale > 0 else str(whole)


def _integer(limit: int) -> _Maker:
    return lambda serial, _, __: str(serial % limit)


def _bits(serial: int, modifier: list[int], _: Random) -> str:
    return f"{serial:b}"[-(modifier[0] if modifier else 1) :].zfill(modifier[0] if modifier else 1)


_MAKERS: dict[str, _Maker] = {
    **{name: _integer(limit) for name, limit in _INTEGERS.items()},
    "text": _text,
    "character varying": _text,
    "character": _text,
    "char": lambda serial, _, __: chr(65 + serial % 26),
    "name": _text,
    "citext": _text,
    "numeric": _numeric,
    "money": lambda serial, _, __: str(serial),
    "real": lambda serial, _, __: f"{serial}.5",
    "double precision": lambda serial, _, random: repr(serial + random.random()),
    "boolean": lambda serial, _, __: "true" if serial % 2 else "false",
    "uuid": lambda _, __, random: f"{random.getrandbits(128):032x}",
    "date": lambda serial, _, __: f"{2000 + serial % 50}-{serial % 12 + 1:02}-{serial % 28 + 1:02}",
    "time without time zone": lambda serial, _, __: f"{serial % 24:02}:{serial % 60:02}:07",
    "time with time zone": lambda serial, _, __: f"{serial % 24:02}:{serial % 60:02}:07+02",
    "timestamp without time zone": lambda serial, _, __: f"2025-01-{serial % 28 + 1:02} 10:{serial % 60:02}:07",
    "timestamp with time zone": lambda serial, _, __: f"2025-01-{serial % 28 + 1:02} 10:{serial % 60:02}:07.25+01",
    "interval": lambda serial, _, __: f"{serial} minutes",
    "json": lambda serial, _, __: f'{{"n": {serial}, "s": "é"}}',
    "jsonb": lambda serial, _, __: f'{{"n": {serial}, "s": "é"}}',
    "bytea": lambda serial, _, __: f"\\x{serial:08x}",
    "inet": lambda serial, _, __: f"10.{serial >> 16 & 255}.{serial >> 8 & 255}.{serial & 255}",
    "cidr": lambda serial, _, __: f"10.{serial >> 8 & 255}.{serial & 255}.0/24",
    "macaddr": lambda serial, _, __: f"08:00:2b:{serial >> 16 & 255:02x}:{serial >> 8 & 255:02x}:{serial & 255:02x}",
    "bit": _bits,
    "bit varying": lambda serial, modifier, _: f"{serial:b}"[-(modifier[0] if modifier else 64) :],
    "point": lambda serial, _, __: f"({serial},1)",
    "xml": lambda serial, _, __: f"<a>{serial}</a>",
    "int4range": lambda serial, _, __: f"[{serial},{serial + 5})",
    "int8range": lambda serial, _, __: f"[{serial},{serial + 5})",
    "numrange": lambda serial, _, __: f"[{serial},{serial + 5})",
    "daterange": lambda serial, _, __: f"[2025-01-{serial % 28 + 1:02},2025-03-01)",
    "tstzrange": lambda serial, _, __: f"[2025-01-{serial % 28 + 1:02},2025-03-01)",
    "tsrange": lambda serial, _, __: f"[2025-01-{serial % 28 + 1:02},2025-03-01)",
    "tsvector": lambda serial, _, __: f"'word{serial}'",
}  # fmt: skip


def _quoted_element(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
