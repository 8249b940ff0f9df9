"""Server reflection, under v1 as well as v1alpha.

grpcio-reflection's servicer serves only v1alpha, finds no method (`grpcurl describe` asks for them), no field and no
enum's value, and cannot describe v1. So this one is ours. The two versions differ in nothing but the name of the
package, on the wire they are the same: one servicer answers both, and v1's description is v1alpha's, renamed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pool import Default, DescriptorPool
from grpc_reflection.v1alpha import reflection_pb2 as pb

METHOD = "ServerReflectionInfo"
OLD_PACKAGE, PACKAGE = "grpc.reflection.v1alpha", "grpc.reflection.v1"
FILE = "grpc/reflection/v1/reflection.proto"
NAMES = (f"{PACKAGE}.ServerReflection", f"{OLD_PACKAGE}.ServerReflection")


class ReflectionServicer:
    """Answers what clients ask of services, symbols and files. Unknown ones are an answer too, not the call's error."""

    def __init__(self, service_names: Iterable[str]) -> None:
        self._service_names = sorted({*service_names, *NAMES})
        self._pools = (Default(), _pool_of_v1())

    async def ServerReflectionInfo(
        self,
        request_iterator: AsyncIterator[pb.ServerReflectionRequest],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[pb.ServerReflectionResponse]:
        """Answers each message by one."""
        async for request in request_iterator:
            try:
                response = self._answer(request)
            except KeyError:
                response = _error(grpc.StatusCode.NOT_FOUND, "nothing of that name is served here")
            except ValueError as error:
                response = _error(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            response.valid_host = request.host
            response.original_request.CopyFrom(request)
            yield response

    def _answer(self, request: pb.ServerReflectionRequest) -> pb.ServerReflectionResponse:
        """Raises KeyError for what is not known, ValueError for what is no question."""
        match request.WhichOneof("message_request"):
            case "list_services":
                services = [pb.ServiceResponse(name=name) for name in self._service_names]
                return pb.ServerReflectionResponse(
                    list_services_response=pb.ListServiceResponse(service=services)
                )
            case "file_by_filename":
                return _files(self._find("FindFileByName", request.file_by_filename))
            case "file_containing_symbol":
                return _files(self._file_of(request.file_containing_symbol.removeprefix(".")))
            case "file_containing_extension":
                asked = request.file_containing_extension
                extended = Default().FindMessageTypeByName(asked.containing_type)
                found = Default().FindExtensionByNumber(extended, asked.extension_number)
                return _files(self._file_of(found.full_name))
            case "all_extension_numbers_of_type":
                return _extensions(request.all_extension_numbers_of_type)
        raise ValueError("the message asks for nothing")

    def _file_of(self, symbol: str) -> FileDescriptor:
        try:
            file: FileDescriptor = self._find("FindFileContainingSymbol", symbol)
        except KeyError:
            parent, _, member = symbol.rpartition(".")
            if member not in self._members(parent):
                raise
            file = self._find("FindFileContainingSymbol", parent)
        return file

    def _members(self, name: str) -> set[str]:
        """Returns the names of what a service, message or enum has in it. Raises KeyError."""
        for kind, lists in (
            ("FindServiceByName", ("methods",)),
            ("FindMessageTypeByName", ("fields", "oneofs", "extensions")),
            ("FindEnumTypeByName", ("values",)),
        ):
            try:
                found = self._find(kind, name)
            except KeyError:
                continue
            members = {each.name for one in lists for each in getattr(found, one)}
            # The values of a nested enum stand beside it, in the message's own scope.
            enums = getattr(found, "enum_types", ())
            return members | {value.name for enum in enums for value in enum.values}
        raise KeyError(name)

    def _find(self, method: str, name: str) -> Any:
        for pool in self._pools:
            try:
                return getattr(pool, method)(name)
            except KeyError:
                continue
        raise KeyError(name)


def add_reflection(server: grpc.aio.Server, service_names: Iterable[str]) -> None:
    """Lets clients ask the server what it serves."""
    servicer = ReflectionServicer(service_names)
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=pb.ServerReflectionRequest.FromString,
        response_serializer=pb.ServerReflectionResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        tuple(grpc.method_handlers_generic_handler(name, {METHOD: handler}) for name in NAMES)
    )


def _pool_of_v1() -> DescriptorPool:
    file = descriptor_pb2.FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(file)
    file.name, file.package = FILE, PACKAGE
    for message in file.message_type:
        for field in message.field:
            if field.type_name:
                field.type_name = _renamed(field.type_name)
    for service in file.service:
        for method in service.method:
            method.input_type = _renamed(method.input_type)
            method.output_type = _renamed(method.output_type)
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool


def _renamed(type_name: str) -> str:
    return type_name.replace(f".{OLD_PACKAGE}.", f".{PACKAGE}.")


def _files(file: FileDescriptor) -> pb.ServerReflectionResponse:
    """Answers with a file and all that it needs, so that one question is enough."""
    found: dict[str, bytes] = {}
    waiting = [file]
    while waiting:
        one = waiting.pop()
        if one.name not in found:
            proto = descriptor_pb2.FileDescriptorProto()
            one.CopyToProto(proto)
            found[one.name] = proto.SerializeToString()
            waiting.extend(one.dependencies)
    return pb.ServerReflectionResponse(
        file_descriptor_response=pb.FileDescriptorResponse(
            file_descriptor_proto=list(found.values())
        )
    )


def _extensions(containing_type: str) -> pb.ServerReflectionResponse:
    message = Default().FindMessageTypeByName(containing_type)
    numbers = sorted(each.number for each in Default().FindAllExtensions(message))
    return pb.ServerReflectionResponse(
        all_extension_numbers_response=pb.ExtensionNumberResponse(
            base_type_name=message.full_name, extension_number=numbers
        )
    )


def _error(code: grpc.StatusCode, message: str) -> pb.ServerReflectionResponse:
    return pb.ServerReflectionResponse(
        error_response=pb.ErrorResponse(error_code=code.value[0], error_message=message)
    )
