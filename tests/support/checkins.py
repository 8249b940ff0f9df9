"""Payloads of buddy_checkin, valid unless a test asks for another mood."""

from __future__ import annotations

import json

MATCH = "0197c5d2-8a4b-7c31-9e0f-2b6d5a81c3f4"


def checkin(number: int, mood: str = "good", **members: object) -> bytes:
    """One check-in, with notes that name its number."""
    named = {"match_id": MATCH, "mood": mood, "notes": f"by ana{number}@example.org"}
    return json.dumps({**named, **members}).encode()
