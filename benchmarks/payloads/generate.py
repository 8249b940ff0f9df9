"""Makes the payloads that benchmarks judge: all nine schemas mixed, 325 bytes on average.

The same seed makes the same bytes. Values are drawn from the schema documents. Four of five optional members are there.
Most payloads have their members in the order of the schema and no blanks; one in four has another order, one in four
has blanks after colons and commas, one in four spells what is not ASCII in escapes. An invalid payload has one to three
members that are wrong, in a way that every peer refuses, or that are missing.
"""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from benchmarks.places import ROOT

SCHEMAS = ROOT / "schemas" / "json"
NAMES = tuple(sorted(path.name for path in SCHEMAS.iterdir()))
LONG_TEXT = 1000
"""From this `maxLength` on a text is sentences."""
LINES_SCHEMA = "itslearning_webhook"
LINES_DISTINCT = 20_000

WORDS = ("leadership", "excel", "dutch-a2", "café", "müller", "interviews", "negotiation", "leuven")
SENTENCES = (
    "We talked about the interview next week, and practised answers.",
    "She asked for more grammar next time.",
    'He said "das passt", which made us laugh.',
    "Very good progress since September, vocabulary above all.",
    "Besprochen: Bewerbung, Lebenslauf und die Prüfung im März.",
    "Reading a newspaper article together worked well.",
)

Document = dict[str, Any]
Members = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Payload:
    """A payload, and the schema that judges it."""

    schema: str
    text: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """Where a member of a payload is: the object that has it, its name, and what its schema says."""

    members: Members
    name: str
    rules: Document
    is_required: bool


def document(name: str) -> Document:
    """Return the document of a schema."""
    text = (SCHEMAS / name / "1.0.json").read_text(encoding="utf-8")
    return cast("Document", json.loads(text))


class Generator:
    """Draws payloads."""

    def __init__(self, seed: str, names: Sequence[str] = NAMES) -> None:
        self._random = random.Random(seed)
        self._documents = {name: document(name) for name in names}

    def payloads(self, count: int, invalid: float) -> Iterator[Payload]:
        """Yield payloads of all schemas in a random order, as many of each; `invalid` is the share of invalid ones."""
        names = (list(self._documents) * (count // len(self._documents) + 1))[:count]
        self._random.shuffle(names)
        for name in names:
            places: list[Place] = []
            members = self._object(self._documents[name], self._documents[name], places)
            if self._random.random() < invalid:
                count = min(self._random.randint(1, 3), len(places))
                for place in self._random.sample(places, count):
                    self._spoil(place)
            yield Payload(name, self._text(members))

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _object(self, rules: Document, root: Document, places: list[Place]) -> Members:
        """Draw an object, and add the place of each member that is no object to `places`."""
        members: Members = {}
        for name, each in rules.get("properties", {}).items():
            is_required = name in rules.get("required", ())
            if is_required or self._chance(0.8):
                chosen = _chosen(name, each, members, root)
                if "properties" in chosen:
                    members[name] = self._object(chosen, root, places)
                else:
                    members[name] = self._value(name, chosen)
                    places.append(Place(members, name, chosen, is_required))
        return members

    def _value(self, name: str, rules: Document) -> Any:
        draw = self._random
        if "enum" in rules:
            return draw.choice(rules["enum"])
        if rules["type"] == "integer":
            return draw.randint(rules["minimum"], rules["maximum"])
        if rules["type"] == "number":
            return round(draw.uniform(rules["minimum"], rules["maximum"]), 2)
        if rules["type"] == "object":
            return {"attempt": draw.randint(1, 3), "device": draw.choice(("phone", "laptop"))}
        return self._formatted(name, rules)

    def _formatted(self, name: str, rules: Document) -> str:
        """Draw a text."""
        draw = self._random
        number = draw.randrange(1_000_000)
        moment = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=number * 30)
        zone = draw.choice(("Z", "Z", ".250Z", "+01:00"))
        host = draw.choice(("example.org", "mail.example.co.uk"))
        by_format = {
            "uuid": str(UUID(int=draw.getrandbits(128))),
            "date-time": moment.strftime("%Y-%m-%dT%H:%M:%S") + zone,
            "email": f"ana.{number}@{host}",
            "uri": f"https://learn.example.com/pages/{number}?from=steward",
        }
        if "format" in rules:
            return by_format[rules["format"]]
        if rules.get("maxLength", 0) >= LONG_TEXT:
            return " ".join(draw.choices(SENTENCES, k=draw.randint(1, 6)))
        if name.lower().endswith("id"):
            return f"{name[:2]}-{number}"
        return " ".join(draw.choices(WORDS, k=draw.randint(1, 3)))

    def _spoil(self, place: Place) -> None:
        """Break a rule of a member."""
        rules, value = place.rules, place.members[place.name]
        wrong: list[Any] = [["a", "list"], None]
        if "enum" in rules:
            wrong.append("unheard-of")
        elif rules["type"] in ("integer", "number"):
            wrong += [rules["maximum"] + 7, rules["minimum"] - 1, "seven"]
        elif rules["type"] == "object":
            wrong.append("none")
        elif "format" in rules:
            wrong += ["yesterday", ""]
            if rules["format"] != "uri":  # some readers drop a blank at the end of a URL
                wrong.append(value[: len(value) // 2] + " ")
        elif rules.get("minLength"):
            wrong.append("")
        elif rules["maxLength"] < LONG_TEXT:
            wrong.append("much too long " * (rules["maxLength"] // 14 + 1))
        if place.is_required and self._chance(0.25):
            del place.members[place.name]
        else:
            place.members[place.name] = self._random.choice(wrong)

    def _text(self, members: Members) -> bytes:
        if self._chance(0.25):
            shuffled = list(members.items())
            self._random.shuffle(shuffled)
            members = dict(shuffled)
        separators = (", ", ": ") if self._chance(0.25) else (",", ":")
        escaped = self._chance(0.25)
        return json.dumps(members, separators=separators, ensure_ascii=escaped).encode()


def _chosen(name: str, rules: Document, members: Members, root: Document) -> Document:
    """Return the schema of a member: its own, or the one that a member before it chooses (`allOf` of if and then)."""
    for branch in root.get("allOf", ()):
        ((decides, constant),) = branch["if"]["properties"].items()
        ((judged, reference),) = branch["then"]["properties"].items()
        if judged == name and members.get(decides) == constant["const"]:
            definition: Document = root["$defs"][reference["$ref"].rpartition("/")[2]]
            return definition
    return rules


def write_payloads(path: Path, payloads: Sequence[Payload]) -> None:
    """Write payloads as every contestant reads them: a line with schema and length, then the payload's bytes."""
    with path.open("wb") as file:
        for each in payloads:
            file.write(b"%s %d\n%s\n" % (each.schema.encode(), len(each.text), each.text))


def lines_file(folder: Path, count: int, invalid: float, distinct: int = LINES_DISTINCT) -> Path:
    """Return a JSON Lines file of one schema, as a batch has it; make it where it does not exist yet.

    It repeats so many distinct payloads: by default more than the processor's caches hold.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{LINES_SCHEMA}_{count}_{round(invalid * 100):02d}pc.jsonl"
    if not path.exists():
        drawn = Generator(f"lines/{invalid}", (LINES_SCHEMA,)).payloads(
            min(count, distinct), invalid
        )
        lines = [each.text + b"\n" for each in drawn]
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            for first in range(0, count, distinct):
                file.writelines(lines[: count - first])
        partial.rename(path)
    return path
