"""Reads payloads, judges them again and again, and prints what that cost: what the Python programs share.

The first pass gives the verdicts and is not measured. The cost is the CPU time of the process, of all its threads.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

Judge = Callable[[bytes], int]
"""From a payload to the number of its errors."""


def read(path: Path) -> list[tuple[str, bytes]]:
    """Return the payloads of a file, each with the name of its schema."""
    text = path.read_bytes()
    found, at = [], 0
    while at < len(text):
        line_end = text.index(b"\n", at)
        name, size_bytes = text[at:line_end].decode().split(" ")
        at = line_end + 1 + int(size_bytes)
        found.append((name, text[line_end + 1 : at]))
        at += 1
    return found


def main(judge_of: Callable[[str, bytes], Judge]) -> None:
    """Judge as the command line says: SCHEMAS PAYLOADS SECONDS. `judge_of` gets a schema's name and document."""
    schemas, path, seconds = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
    payloads = read(path)
    judges = {
        name: judge_of(name, (schemas / name / "1.0.json").read_bytes())
        for name in {name for name, _ in payloads}
    }
    work = [(judges[name], text) for name, text in payloads]
    errors = [judge(text) for judge, text in work]
    verdicts = "".join("0" if count else "1" for count in errors)
    cpu_s, passes, began_s = 0.0, 0, time.process_time()
    while cpu_s < seconds:
        for judge, text in work:
            judge(text)
        passes += 1
        cpu_s = time.process_time() - began_s
    facts = {"verdicts": verdicts, "errors": sum(errors), "passes": passes, "cpu_s": cpu_s}
    print(json.dumps(facts))
