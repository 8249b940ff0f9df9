"""Stands in for grpcurl where it is not installed: the same calls, by server reflection alone, with none of our stubs.

It knows what docs/guides/other-languages.md uses, and nothing else: `-plaintext`, `-d JSON` (`-d @` is stdin),
`-protoset-out FILE`, `list [SERVICE]`, `describe SYMBOL` and `SERVICE/METHOD`. As in grpcurl, the exit code of a call
that failed is 64 plus its gRPC code. Of a method it describes the one in its service: that the daemon's reflection
finds a method by its own name is held by the tests of reflection.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import json_format
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from grpc_status import rpc_status

FAILED_CALL = 64
TIMEOUT_S = 90


class Server:
    """A server and what its reflection says."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.insecure_channel(address)
        self.database = ProtoReflectionDescriptorDatabase(self.channel)
        self.pool = DescriptorPool(self.database)

    def list(self, service: str | None) -> Iterator[str]:
        """Yields the services, or the methods of one."""
        if service is None:
            yield from sorted(self.database.get_services())
            return
        for method in self.pool.FindServiceByName(service).methods:
            yield method.full_name

    def file_of(self, symbol: str) -> FileDescriptor:
        """Returns the file that declares a service, a method or a message."""
        try:
            return self.pool.FindFileContainingSymbol(symbol)
        except KeyError:
            return self.pool.FindFileContainingSymbol(symbol.rpartition(".")[0])

    def describe(self, symbol: str) -> str:
        """Returns the declaration of a service, a method or a message."""
        declared = FileDescriptorProto()
        self.file_of(symbol).CopyToProto(declared)
        for service in declared.service:
            name = f"{declared.package}.{service.name}"
            if symbol == name:
                return f"{name} is a service:\n{service}"
            for method in service.method:
                if symbol == f"{name}.{method.name}":
                    return f"{symbol} is a method:\n{method}"
        message: Any = declared
        for part in symbol.removeprefix(f"{declared.package}.").split("."):
            nested = message.message_type if message is declared else message.nested_type
            message = next(each for each in nested if each.name == part)
        return f"{symbol} is a message:\n{message}"

    def descriptor_set(self, symbol: str) -> bytes:
        """Returns the file of a symbol behind all that it imports, as protoc and buf read it."""
        files: dict[str, FileDescriptorProto] = {}

        def add(file: FileDescriptor) -> None:
            for imported in file.dependencies:
                add(imported)
            files.setdefault(file.name, FileDescriptorProto())
            file.CopyToProto(files[file.name])

        add(self.file_of(symbol))
        return FileDescriptorSet(file=files.values()).SerializeToString()

    def call(self, path: str, requests: str) -> Iterator[str]:
        """Yields what a method answers to a sequence of JSON messages, each as JSON."""
        service, _, name = path.partition("/")
        method = self.pool.FindServiceByName(service).methods_by_name[name]
        kind, answer = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
        messages = [json_format.ParseDict(each, kind()) for each in documents(requests)]
        stub = self.channel.stream_stream(
            f"/{path}",
            request_serializer=kind.SerializeToString,
            response_deserializer=answer.FromString,
        )
        for response in stub(iter(messages or [kind()]), timeout=TIMEOUT_S):
            yield json_format.MessageToJson(response, descriptor_pool=self.pool)


def documents(text: str) -> Iterator[Any]:
    """Yields the JSON documents that stand one behind the other in a text."""
    decoder, text = json.JSONDecoder(), text.strip()
    while text:
        document, end = decoder.raw_decode(text)
        yield document
        text = text[end:].lstrip()


def explain(error: grpc.RpcError) -> int:
    """Prints an error with its details; returns the exit code."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    print(f"ERROR:\n  Code: {error.code().name}\n  Message: {error.details()}", file=sys.stderr)
    for detail in status.details if status else ():
        for kind in (ErrorInfo, BadRequest, RetryInfo):
            if detail.Is(kind.DESCRIPTOR):
                message = kind()
                detail.Unpack(message)
                print(kind.DESCRIPTOR.name, json_format.MessageToJson(message), file=sys.stderr)
    return FAILED_CALL + int(error.code().value[0])


def main() -> int:
    """Does what the command line says."""
    parser = argparse.ArgumentParser(prog="grpcurl")
    parser.add_argument("-plaintext", action="store_true", required=True)
    parser.add_argument("-d", default="", dest="data")
    parser.add_argument("-protoset-out", type=Path, dest="protoset_out")
    parser.add_argument("address")
    parser.add_argument("verb")
    parser.add_argument("symbol", nargs="?")
    given = parser.parse_args()
    server = Server(given.address)
    try:
        if given.verb == "list":
            print(*server.list(given.symbol), sep="\n")
        elif given.verb == "describe":
            print(server.describe(given.symbol))
        else:
            for answer in server.call(
                given.verb, sys.stdin.read() if given.data == "@" else given.data
            ):
                print(answer)
    except grpc.RpcError as error:
        return explain(error)
    if given.protoset_out is not None:
        given.protoset_out.write_bytes(server.descriptor_set(given.symbol))
    return 0


if __name__ == "__main__":
    sys.exit(main())
