"""Server reflection as grpcurl and other clients ask for it, under both names of its package."""

from __future__ import annotations

import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha import reflection_pb2 as pb

from tests.support.calls import channel

PACKAGES = ("grpc.reflection.v1", "grpc.reflection.v1alpha")


def ask(address: str, package: str, *requests: pb.ServerReflectionRequest):
    with channel(address) as opened:
        call = opened.stream_stream(
            f"/{package}.ServerReflection/ServerReflectionInfo",
            request_serializer=pb.ServerReflectionRequest.SerializeToString,
            response_deserializer=pb.ServerReflectionResponse.FromString,
        )
        return list(call(iter(requests), timeout=10))


def pool_of(response: pb.ServerReflectionResponse) -> DescriptorPool:
    """The files of an answer, as a client builds them: each after those that it imports."""
    files = {}
    for body in response.file_descriptor_response.file_descriptor_proto:
        file = descriptor_pb2.FileDescriptorProto.FromString(body)
        files[file.name] = file
    pool = DescriptorPool()

    def add(name: str) -> None:
        file = files.pop(name, None)
        if file is not None:
            for needed in file.dependency:
                add(needed)
            pool.Add(file)

    while files:
        add(next(iter(files)))
    return pool


def of_symbol(symbol: str) -> pb.ServerReflectionRequest:
    return pb.ServerReflectionRequest(file_containing_symbol=symbol)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_method_of_every_service_that_is_listed_can_be_described(daemon, package):
    (listed,) = ask(daemon.address, package, pb.ServerReflectionRequest(list_services="*"))
    services = [one.name for one in listed.list_services_response.service]
    assert {f"{each}.ServerReflection" for each in PACKAGES} <= set(services)
    found = ask(daemon.address, package, *(of_symbol(name) for name in services))
    for name, response in zip(services, found, strict=True):
        methods = [one.full_name for one in pool_of(response).FindServiceByName(name).methods]
        assert methods
        for answer in ask(daemon.address, package, *(of_symbol(method) for method in methods)):
            assert pool_of(answer).FindServiceByName(name).methods


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize(
    "symbol",
    [
        "steward.v1.ValidationService.ValidateBatch",
        "steward.v1.Batch.name",
        "steward.v1.ValidateBatchRequest.Open.source",
        "steward.v1.HealthResponse.State",
        "steward.v1.HealthResponse.STATE_HEALTHY",
        "steward.v1.HealthResponse.State.STATE_HEALTHY",
        "grpc.reflection.v1.ServerReflectionRequest",
        "grpc.reflection.v1.ServerReflectionRequest.host",
        "grpc.reflection.v1.ServerReflection.ServerReflectionInfo",
        "grpc.reflection.v1alpha.ServerReflection.ServerReflectionInfo",
        "google.longrunning.Operations.WaitOperation",
    ],
)
def test_symbols_of_every_kind_have_their_file(daemon, package, symbol):
    (answer,) = ask(daemon.address, package, of_symbol(symbol))
    assert answer.original_request == of_symbol(symbol)
    names = [
        descriptor_pb2.FileDescriptorProto.FromString(body)
        for body in answer.file_descriptor_response.file_descriptor_proto
    ]
    assert any(symbol.startswith(f"{file.package}.") for file in names)


def test_what_is_not_there_is_an_answer_and_the_stream_goes_on(daemon):
    answers = ask(
        daemon.address,
        PACKAGES[0],
        of_symbol("steward.v1.Nothing"),
        of_symbol("steward.v1.ValidationService.Nothing"),
        of_symbol(""),
        pb.ServerReflectionRequest(file_by_filename="nothing.proto"),
        pb.ServerReflectionRequest(),
        pb.ServerReflectionRequest(file_by_filename="steward/v1/backup.proto"),
        pb.ServerReflectionRequest(all_extension_numbers_of_type="steward.v1.Batch"),
    )
    assert [one.error_response.error_code for one in answers] == [5, 5, 5, 5, 3, 0, 0]
    assert answers[-1].all_extension_numbers_response.base_type_name == "steward.v1.Batch"
