"""orjson and jsonschema-rs: `python -m benchmarks.peers.payloads.with_jsonschema_rs SCHEMAS PAYLOADS SECONDS`.

Formats are checked, by the library's own rules. `is_valid` judges first; only an invalid payload is judged again.
"""

import jsonschema_rs
import orjson

from benchmarks.peers.payloads.judging import Judge, main


def judge_of(_name: str, document: bytes) -> Judge:
    """Return what judges payloads of a schema."""
    validator = jsonschema_rs.Draft202012Validator(orjson.loads(document), validate_formats=True)
    is_valid, iter_errors, loads = validator.is_valid, validator.iter_errors, orjson.loads

    def judge(text: bytes) -> int:
        try:
            value = loads(text)
        except orjson.JSONDecodeError:
            return 1
        if is_valid(value):
            return 0
        return len([(it.instance_path, it.kind, it.message) for it in iter_errors(value)])

    return judge


if __name__ == "__main__":
    main(judge_of)
