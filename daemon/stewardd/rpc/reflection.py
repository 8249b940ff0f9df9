"""Server reflection, under v1 as well as v1alpha.

grpcio-reflection serves only v1alpha, and newer clients ask v1 first. The two differ in nothing but the name of the
package, on the wire they are the same, so one servicer answers both.
"""

from __future__ import annotations

from collections.abc import Iterable

import grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection import aio

METHOD = "ServerReflectionInfo"
NAMES = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")


def add_reflection(server: grpc.aio.Server, service_names: Iterable[str]) -> None:
    """Lets clients ask the server what it serves."""
    servicer = aio.ReflectionServicer([*service_names, *NAMES])
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        tuple(grpc.method_handlers_generic_handler(name, {METHOD: handler}) for name in NAMES)
    )
