"""A short run of the benchmark of payloads, without its peers, writes its page."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_short_run_of_what_is_ours_writes_a_page():
    page = ROOT / "build/benchmarks/PAYLOADS.md"
    page.unlink(missing_ok=True)
    argv = [sys.executable, "-m", "benchmarks.payloads", "--quick", "--without-peers"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text = page.read_text(encoding="utf-8")
    assert "| unexplained differences of verdicts | 0 | 0 | yes |" in text
    assert "| steward in Python | its own | all | 1,321 of 1,321 |" in text
    assert "| ValidatePayload, three violations |" in text
    assert "Not measured." not in text
