"""A gRPC proxy in front of a real daemon: it passes calls on, remembers requests, and fails calls when told to.

It knows no method by name and keeps messages as the bytes that came, so that what a client sees is the daemon's own
answer, status and details included. `faults` says what happens to the next calls of a method, and at which moment:

    BEGIN       the call has come, and nothing of it was passed on
    COMMIT      a stream's last message (its Commit) has come, and was not passed on
    ANSWERED    the daemon has answered to the end, and nothing of its last message was passed on
    RESPONSE    before each message of the daemon is passed on
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from typing import Any, Self

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status


class Moment(Enum):
    """When a fault strikes."""

    BEGIN = "begin"
    COMMIT = "commit"
    ANSWERED = "answered"
    RESPONSE = "response"


BEGIN, COMMIT, ANSWERED, RESPONSE = Moment
_A_YEAR_S = 365 * 86_400.0


class ProxiedCall:
    """One call, as a fault sees it: how much went through it, and how to end it."""

    def __init__(self, method: str, context: grpc.ServicerContext) -> None:
        self.method = method
        self.context = context
        self.sent_bytes = 0
        """Bytes of messages that the client has sent."""
        self.received_bytes = 0
        """Bytes of messages that were passed on to the client."""
        self.failure: Exception | None = None


Fault = Callable[[ProxiedCall], None]


def succeed(call: ProxiedCall) -> None:
    """A fault that does nothing: the call that takes it succeeds."""


def status(
    code: str,
    reason: str,
    message: str,
    hint: str = "",
    field: str = "",
    *,
    retry_after_s: float = 0.0,
) -> status_pb2.Status:
    """A google.rpc.Status with details, as the daemon makes them."""
    made = status_pb2.Status(code=code_pb2.Code.Value(code), message=message)
    info = error_details_pb2.ErrorInfo(
        reason=reason, domain="steward.v1", metadata={"thing": "note"}
    )
    if hint:
        info.metadata["hint"] = hint
    made.details.add().Pack(info)
    if field:
        bad = error_details_pb2.BadRequest()
        bad.field_violations.add(field=field, description=f"{field} is at fault")
        made.details.add().Pack(bad)
    if retry_after_s:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(int(retry_after_s * 1000))
        made.details.add().Pack(retry)
    return made


def failing(*arguments: Any, **keywords: Any) -> Fault:
    """A fault that ends the call with that status, details included."""
    ended = rpc_status.to_status(status(*arguments, **keywords))
    return lambda call: call.context.abort_with_status(ended)


def bare(code: str, message: str) -> Fault:
    """A fault that ends the call as a transport does: with a code and a text, and no details."""
    return lambda call: call.context.abort(grpc.StatusCode[code], message)


class CallProxy:
    """`with CallProxy(address) as proxy:` passes the calls to `proxy.address` on to the daemon at `address`."""

    def __init__(
        self,
        behind: str,
        address: str = "127.0.0.1:0",
        *,
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        self._channel = grpc.insecure_channel(
            behind, options=[("grpc.max_receive_message_length", -1)]
        )
        self._server = grpc.server(
            ThreadPoolExecutor(max_workers=16),
            options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1)],
        )
        self._server.add_generic_rpc_handlers((_Handlers(self),))
        if credentials is None:
            port = self._server.add_insecure_port(address)
        else:
            port = self._server.add_secure_port(address, credentials)
        self.address = address if address.startswith("unix:") else f"127.0.0.1:{port}"
        self.faults: defaultdict[tuple[str, Moment], deque[Fault]] = defaultdict(deque)
        self.answers: dict[str, Message] = {}
        """Methods that the proxy answers by itself, with one message."""
        self.changes: dict[str, Callable[[Any], Any]] = {}
        """Methods whose responses are changed on their way: message in, message out, or None to drop it."""
        self.calls: Counter[str] = Counter()
        self.requests: list[Any] = []
        """The first message of each call, in the order in which they came."""
        self.responses: list[Any] = []
        """The messages that were passed on to clients."""
        self.sent_bytes = 0
        self.cancelled = threading.Event()
        """Set when a client has cancelled a call."""

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._server.stop(None).wait(5)
        self._channel.close()

    def fail(self, method: str, *faults: Fault, at: Moment = BEGIN) -> None:
        """Lets the next calls of a method end so, one fault each."""
        self.faults[method, at].extend(faults)

    def of(self, kind: type[Message]) -> list[Any]:
        """The requests of that type."""
        return [each for each in self.requests if isinstance(each, kind)]

    def pass_on(
        self, method: str, incoming: Iterator[bytes], context: grpc.ServicerContext
    ) -> Iterator[bytes]:
        name = method.rpartition("/")[2]
        self.calls[name] += 1
        call = ProxiedCall(name, context)
        # Taken when the call begins, so that a call that comes meanwhile has the next ones.
        struck = {moment: self._next(name, moment) for moment in Moment}
        request_type, response_type = _types(method)
        first = next(incoming, None)
        if first is not None:
            self.requests.append(request_type.FromString(first))
        struck[BEGIN](call)
        if name in self.answers:
            yield self.answers[name].SerializeToString()
            return
        passing: grpc.StreamStreamMultiCallable[bytes, bytes] = self._channel.stream_stream(method)
        upstream: Any = passing(
            self._requests(first, incoming, call, request_type, struck[COMMIT]),
            timeout=_time_left_s(context),
            metadata=context.invocation_metadata(),
        )
        ended = threading.Event()

        def abandon() -> None:
            if not ended.is_set():
                self.cancelled.set()
                upstream.cancel()

        context.add_callback(abandon)
        try:
            for message in _until_its_end(upstream, call, struck[ANSWERED]):
                struck[RESPONSE](call)
                for passed in self._changed(name, response_type, message):
                    call.received_bytes += len(passed)
                    yield passed
        except grpc.RpcError as error:
            if call.failure is not None:
                raise call.failure from None
            _end_alike(context, error)
        finally:
            ended.set()

    def _next(self, method: str, moment: Moment) -> Fault:
        waiting = self.faults[method, moment]
        return waiting.popleft() if waiting else succeed

    def _requests(
        self,
        first: bytes | None,
        rest: Iterator[bytes],
        call: ProxiedCall,
        request_type: Any,
        on_commit: Fault,
    ) -> Iterator[bytes]:
        is_stream = "commit" in request_type.DESCRIPTOR.fields_by_name
        message = first
        while message is not None:
            call.sent_bytes += len(message)
            self.sent_bytes += len(message)
            if is_stream and request_type.FromString(message).HasField("commit"):
                try:
                    on_commit(call)
                except Exception as ended:
                    # The thread that answers raises it; the daemon gets a stream without Commit.
                    call.failure = ended
                    return
            yield message
            message = next(rest, None)

    def _changed(self, method: str, response_type: Any, message: bytes) -> Iterator[bytes]:
        parsed = response_type.FromString(message)
        if method in self.changes:
            changed = self.changes[method](parsed)
            if changed is None:
                return
            parsed, message = changed, changed.SerializeToString()
        self.responses.append(parsed)
        yield message


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, proxy: CallProxy) -> None:
        self._proxy = proxy

    def service(self, handler_call_details: Any) -> grpc.RpcMethodHandler[bytes, bytes]:
        method = handler_call_details.method

        def handle(incoming: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
            return self._proxy.pass_on(method, incoming, context)

        return grpc.stream_stream_rpc_method_handler(handle)


def _time_left_s(context: grpc.ServicerContext) -> float | None:
    """The call's time; of one without a deadline grpc says some thousand years, and does not take that back."""
    left_s = context.time_remaining()
    return left_s if left_s < _A_YEAR_S else None


def _types(method: str) -> tuple[Any, Any]:
    service, _, name = method.strip("/").rpartition("/")
    found = descriptor_pool.Default().FindServiceByName(service).methods_by_name[name]
    return (
        message_factory.GetMessageClass(found.input_type),
        message_factory.GetMessageClass(found.output_type),
    )


def _until_its_end(
    messages: Iterator[bytes], call: ProxiedCall, on_answered: Fault
) -> Iterator[bytes]:
    """Each message at once; with a fault for the end the last one is held back until the end has come."""
    if on_answered is succeed:
        yield from messages
        return
    held = next(messages, None)
    while held is not None:
        following = next(messages, None)
        if following is None:
            on_answered(call)
        yield held
        held = following


def _end_alike(context: grpc.ServicerContext, error: Any) -> None:
    """Ends the call as the daemon ended its own, details included."""
    context.set_trailing_metadata(tuple(error.trailing_metadata() or ()))
    context.abort(error.code(), error.details() or "")
