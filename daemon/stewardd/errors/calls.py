"""Errors of a call itself: its message, its request_id, and whether it is served at all."""

from __future__ import annotations

from stewardd.errors.kinds import Conflict, Exhausted, InvalidRequest, StewardError


class RequestIdReused(InvalidRequest):
    """The same request_id came with another request."""

    reason = "REQUEST_ID_REUSED"
    hint = "use a new request_id for a new request"


class RequestInProgress(Conflict):
    """A request with this request_id is being served now."""

    reason = "REQUEST_IN_PROGRESS"
    hint = "wait, and send it again with the same request_id to get its answer"


class MalformedMessage(InvalidRequest):
    """The bytes are no message of the method that they were sent to."""

    reason = "MALFORMED_MESSAGE"
    hint = "encode the message as proto/steward/v1 describes it; server reflection has it too"


class MessageTooLarge(InvalidRequest):
    """A message of the stream is over the limit."""

    reason = "MESSAGE_TOO_LARGE"
    hint = "send chunks of 1 MiB"


class TooManyRequests(Exhausted):
    """As many calls are being served as the daemon may serve."""

    reason = "TOO_MANY_REQUESTS"
    hint = "wait, and try again; the bound is `server.max_concurrent_calls`"


class NotServed(StewardError):
    """The contract has this method, and the daemon leaves it out."""

    reason = "NOT_SERVED"
    hint = "do without it; asking again will not help"
