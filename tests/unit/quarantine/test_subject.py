"""One person's address is found as itself and nobody else's."""

import base64
import json

import pytest
from stewardd.errors import InvalidRequest
from stewardd.quarantine.subject import MASKED_ADDRESS, MASKED_TEXT, Subject

ANA = Subject("ana.b+c@example.org")


@pytest.mark.parametrize(
    "text",
    [
        "ana.b+c@example.org",
        "ANA.B+C@Example.ORG",
        "write to ana.b+c@example.org.",
        "<ana.b+c@example.org>",
        "mailto:ana.b+c@example.org",
        "a\nana.b+c@example.org",
    ],
)
def test_it_is_found_in_any_case_and_company(text):
    assert ANA.is_in(text)
    assert ANA.masked(text).count(MASKED_ADDRESS) == 1
    assert ANA.may_be_in(json.dumps({"x": text}).encode())


@pytest.mark.parametrize(
    "text",
    [
        "diana.b+c@example.org",
        "ana.b+c@example.org.uk",
        "ana.b+c@example.orgs",
        "ana.b+c@example-org",
        "x.ana.b+c@example.org",
        "anaXb+c@example.org",
        "",
    ],
)
def test_others_are_left_alone(text):
    assert not ANA.is_in(text)
    assert ANA.masked(text) == text


def test_bytes_in_base64_are_looked_into():
    line = b'{"row":1,"rawRowBase64":"%s"}' % base64.b64encode(b"\xff,ANA.B+c@example.org")
    assert ANA.may_be_in(line)
    assert not ANA.may_be_in(line.replace(b"rawRowBase64", b"rawRow"))


def test_a_file_is_looked_through_across_its_chunks():
    body = b"x" * 100 + b"ana.b+c@example.org" + b"y" * 100
    for size in (1, 7, 64):
        chunks = [body[begin : begin + size] for begin in range(0, len(body), size)]
        assert ANA.may_be_among(chunks)
    assert not ANA.may_be_among([b"x" * 100])


def test_what_the_person_wrote_goes_and_the_address_of_another_stays():
    cells = {
        "participant_email": "Ana.B+C@example.org",
        "volunteer_email": "bo@example.org",
        "feedback_text": "i liked it",
        "topics": "ana.b+c@example.org, work",
        "rating": "0.5",
    }
    personal = frozenset({"participant_email", "volunteer_email", "feedback_text"})
    assert ANA.masked_cells(cells, personal) == {
        "participant_email": MASKED_ADDRESS,
        "volunteer_email": "bo@example.org",
        "feedback_text": MASKED_TEXT,
        "topics": f"{MASKED_ADDRESS}, work",
        "rating": "0.5",
    }


def test_the_hash_needs_the_key_and_forgets_the_case():
    assert ANA.hashed(b"k") == Subject("ANA.b+c@EXAMPLE.org ").hashed(b"k")
    assert ANA.hashed(b"k") != ANA.hashed(b"l")


@pytest.mark.parametrize(
    "text", ["", "ana", "ana@x", "a b@x.org", "a@b@c.org", "x" * 320 + "@x.org"]
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(InvalidRequest):
        Subject(text)
