"""Ours in Python: `python -m benchmarks.peers.payloads.with_fastcsv SCHEMAS PAYLOADS SECONDS`."""

import fastcsv
from benchmarks.peers.payloads.judging import Judge, main


def judge_of(name: str, document: bytes) -> Judge:
    """Return what judges payloads of a schema: one call a payload."""
    schema = fastcsv.PayloadSchema(document, name=name, version="1.0")
    validate = fastcsv.validate_payload

    def judge(text: bytes) -> int:
        report = validate(schema, text)
        if report.valid:
            return 0
        return len([(it.pointer, it.keyword, it.message) for it in report.violations])

    return judge


if __name__ == "__main__":
    main(judge_of)
