"""One person's address is found as itself and nobody else's."""

import base64
import json

import pytest
from stewardd.errors import InvalidRequest
from stewardd.quarantine.removing.data_subject import MASKED_ADDRESS, MASKED_TEXT, DataSubject

ANA = DataSubject("ana.b+c@example.org")
SHORT = DataSubject("ana@x.org")


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


@pytest.mark.parametrize(
    "text",
    [
        "'ana@x.org",
        '"ana@x.org"',
        "email=ana@x.org",
        "?to=bo@y.org&cc=ana@x.org&x=1",
        "/ana@x.org/",
        "*ana@x.org*",
        "{ana@x.org}",
        "[ana@x.org](mailto",
        "_ana@x.org_",
        "...ana@x.org...",
        "hello...ana@x.org",
        "- ana@x.org-",
        "ana@x.org.Danke",
        "ana@x.org.2025",
        "Ana <ANA@x.org>",
        "bo@y.org|ana@x.org",
        "bo@y.org-ana@x.org",
        "bo@y.org.ana@x.org",
        "ana@x.org.bo@y.org",
        "ana@x.org_",
        "ana@x.org's",
        "ana%40x.org",
        "%61na%40x%2Eorg",
        "mailto%3Aana%40x.org",
        "%3Cana@x.org%3E",
        "%253Cana%2540x.org",
        r"ana\u0040x.org",
        r'{"a":"hello\nana@x.org"}',
        r"\u003cana@x.org\u003e",
        r"\\u003cana\\u0040x.org",
        "ana%EF%BC%A0x.org",
        "ana&#65312;x.org",
        "&lt;ana&#64;x.org&gt;",
        "ana&#x40;x.org",
        "ana\uff20x.org",
        "\u8054\u7cfbana@x.org\u8c22\u8c22",
        "\u00fcber:ana@x.org",
    ],
)
def test_marks_and_escapes_beside_it_do_not_hide_it(text):
    assert SHORT.is_in(text)
    assert not SHORT.is_in(SHORT.masked(text))
    assert SHORT.masked(text).count(MASKED_ADDRESS) == 1
    for data in (json.dumps({"x": text}, ensure_ascii=False), json.dumps({"x": text}), text):
        assert SHORT.may_be_in(data.encode())
        for size in (7, 64):
            chunks = [data.encode()[at : at + size] for at in range(0, len(data.encode()), size)]
            assert SHORT.may_be_among(chunks)


@pytest.mark.parametrize(
    "text",
    [
        "anna@x.org",
        "diana@x.org",
        "1ana@x.org",
        "ana@x.org.uk",
        "ana@x.org.co.uk",
        "ANA@X.ORG.UK",
        "Ana@X.Org.Com",
        "ana@x.orgs",
        "ana@x.org-b.com",
        "ana@x.org.2.com",
        "ana@xn.org",
        "ana@sub.x.org",
        "ana@xxorg",
        "ana+b@x.org",
        "b+ana@x.org",
        "b.ana@x.org",
        "b-ana@x.org",
        "b_ana@x.org",
        "b__ana@x.org",
        "o'ana@x.org",
        "r&ana@x.org",
        "\u00e9ana@x.org",
        "e\u0301ana@x.org",
        "b%2Bana%40x.org",
        "b%2Bana@x.org",
        "ana@x.org%2Euk",
        r"b\u002bana@x.org",
        r"CORP\nana@x.org",
        "b&#43;ana@x.org",
        "\u0101na@x.org",
        "ana@x.org\u00e9",
        "ana@x.org.uk/bo@y.org",
        "20ana%40x.org",
    ],
)
def test_what_makes_it_longer_makes_it_another_address(text):
    assert not SHORT.is_in(text)
    assert SHORT.masked(text) == text


@pytest.mark.parametrize(
    ("email", "text"),
    [
        ("J\u00d6S\u00c9.x@x.org", "J\u00d6S\u00c9.x@x.org"),
        ("j\u00f6s\u00e9.x@x.org", "J\u00d6S\u00c9.X@X.ORG"),
        ("J\u00d6S\u00c9.x@x.org", "j\u00f6s\u00e9.x@x.org"),
        ("j\u00f6s\u00e9.x@x.org", "jo\u0308se\u0301.x@x.org"),
        ("jo\u0308se\u0301.x@x.org", "J\u00d6S\u00c9.x@x.org"),
        ("j\u00f6s\u00e9.x@x.org", "j%C3%B6s%C3%A9.x%40x.org"),
        ("j\u00f6s\u00e9.x@x.org", r"j\u00f6s\u00e9.x\u0040x.org"),
        ("ana@b\u00fccher.de", "ana@xn--bcher-kva.de"),
        ("ana@xn--bcher-kva.de", "Ana@B\u00dcCHER.de"),
        ("a%20b@x.org", "a%20b@x.org"),
        ("a&b@x.org", "<a&amp;b@x.org>"),
        ("\u5b89\u5a1c@x.org", "\u5b89\u5a1c@x.org"),
        ("\u0430\u043d\u043d\u0430@x.org", "\u0410\u041d\u041d\u0410@x.org"),
    ],
)
def test_letters_of_all_the_world_have_cases_and_escapes(email, text):
    person = DataSubject(email)
    assert person.is_in(text)
    assert person.masked(text).count(MASKED_ADDRESS) == 1
    assert person.may_be_in(json.dumps({"x": text}, ensure_ascii=False).encode())


@pytest.mark.parametrize(
    ("email", "text"),
    [
        ("jose@x.org", "jos\u00e9@x.org"),
        ("jose@x.org", "jose\u0301@x.org"),
        ("jos\u00e9@x.org", "jose@x.org"),
        ("gro\u00df@x.org", "GROSS@x.org"),
        ("ina@x.org", "\u0131na@x.org"),
        ("\u0131na@x.org", "INA@x.org"),
        ("kai@x.org", "\u212aai@x.org"),
    ],
)
def test_letters_that_look_alike_are_others(email, text):
    assert not DataSubject(email).is_in(text)


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


@pytest.mark.parametrize(
    ("cell", "left"),
    [
        ("Ana <ana@x.org>", MASKED_TEXT),
        ("'ana@x.org", f"'{MASKED_ADDRESS}"),
        ("mailto:ana@x.org", f"mailto:{MASKED_ADDRESS}"),
        ("ana%40x.org", MASKED_ADDRESS),
        ("bo@y.org; ana@x.org", f"bo@y.org; {MASKED_ADDRESS}"),
        ("<bo@y.org>", "<bo@y.org>"),
        ("Bo <bo@y.org>", f"{MASKED_TEXT} bo@y.org"),
        ("i, ana@x.org, like anna@x.org", f"{MASKED_TEXT} anna@x.org"),
        ("@home", MASKED_TEXT),
        ("", ""),
    ],
)
def test_of_a_cell_with_personal_data_the_addresses_of_others_stay(cell, left):
    assert SHORT.masked_cells({"a": cell}, frozenset({"a"})) == {"a": left}


def test_long_texts_without_an_address_take_no_time():
    for letter in "a-._%&@\\":
        text = letter * 1_000_000 + " ana@x.org"
        assert SHORT.masked_cells({"a": text}, frozenset({"a"}))["a"].startswith(("[", letter))


def test_the_hash_needs_the_key_and_forgets_the_case():
    assert ANA.hashed(b"k") == DataSubject("ANA.b+c@EXAMPLE.org ").hashed(b"k")
    assert ANA.hashed(b"k") != ANA.hashed(b"l")


@pytest.mark.parametrize(
    "text", ["", "ana", "ana@x", "a b@x.org", "a@b@c.org", "x" * 320 + "@x.org"]
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(InvalidRequest):
        DataSubject(text)
