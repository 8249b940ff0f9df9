"""Why a bucket fails, read from what its client says: what the storage's own word is, and what to do."""

import pytest
from stewardd.repository.backend.bucket.refusals import reason_of

DUMP = "\n\nDebug source:\nGeneric {{ store: S3, {} }}"


def said(head: str, dump: str = "") -> Exception:
    return Exception(head + DUMP.format(dump))


def test_no_credentials_are_told_from_credentials_that_are_refused():
    """Without any, the client asks the machine for some, and the answer is not the bucket's."""
    head = (
        "Generic S3 error: Error performing PUT http://169.254.169.254/latest/api/token in 9ms - "
        "Server returned non-2xx status code: 403 Forbidden: "
    )
    reason = reason_of(said(head))
    assert "no credentials" in reason.text
    assert "repository.options" in reason.hint
    assert reason.lasting


@pytest.mark.parametrize(
    ("body", "text", "hint"),
    [
        (
            "<Error><Code>AuthenticationFailed</Code><Message>Request date header too old</Message></Error>",
            "AuthenticationFailed (403): Request date",
            "clock",
        ),
        (
            "<Error><Code>AuthenticationFailed</Code><Message>The MAC signature=abc is wrong</Message></Error>",
            "AuthenticationFailed (403): The MAC signature=… is wrong",
            "secret that belongs",
        ),
        (
            '{"error": {"code": 403, "message": "x has no access", "errors": [{"reason": "forbidden"}]}}',
            "forbidden (403): x has no access",
            "read, write and delete",
        ),
        ("", "Forbidden (403)", "read, write and delete"),
    ],
)
def test_azure_and_google_are_understood_as_s3_is(body, text, hint):
    head = f"Error performing PUT http://h/k - Server returned non-2xx status code: 403 Forbidden: {body}"
    reason = reason_of(said(head))
    assert reason.text.startswith(text)
    assert hint in reason.hint


def test_what_may_go_by_itself_is_no_refusal():
    head = (
        "Generic S3 error: Error performing PUT http://h/k in 2ms, after 2 retries - Server returned non-2xx status "
        "code: 503 Service Unavailable: <Error><Code>SlowDown</Code></Error>"
    )
    reason = reason_of(said(head))
    assert (reason.text, reason.lasting) == ("SlowDown (503)", False)


def test_a_connection_keeps_its_beginning_and_its_innermost_reason():
    dump = 'ConnectError("dns error", Custom { error: "failed to lookup address information: unknown" })'
    reason = reason_of(
        said(
            "Generic S3 error: Error performing PUT http://h/k - HTTP error: error sending request",
            dump,
        )
    )
    assert reason.text.startswith("HTTP error: error sending request: failed to lookup")
    assert "endpoint" in reason.hint
    assert not reason.lasting
