"""A caller whose RPC borrows from the pool of a database with an open breaker: what it gets over the wire."""

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from grpc_status import rpc_status
from steward.v1 import database_pb2, database_pb2_grpc
from stewardd.app.metrics import DaemonMetrics
from stewardd.health.monitor import Monitor
from stewardd.postgres.breaker import BreakerOptions
from stewardd.postgres.database import Database
from stewardd.postgres.databases import Databases
from stewardd.postgres.pool import PoolOptions
from stewardd.postgres.target import DatabaseTarget
from stewardd.rpc.addresses import SocketAccess
from stewardd.rpc.database.servicer import DatabaseServicer
from stewardd.rpc.interceptor import CallGuard
from stewardd.rpc.server import Server

METHOD = "steward.v1.DatabaseService/GetDatabase"
NOBODY = DatabaseTarget("main", "host=127.0.0.1 port=1 user=ana dbname=library")
MEBIBYTE = 1 << 20


class Borrowing(DatabaseServicer):
    """Borrows a connection before it answers."""

    def __init__(self, database: Database) -> None:
        super().__init__(Databases([database]), Monitor())
        self._database = database

    async def GetDatabase(self, request, context):
        async with self._database.connection():
            return database_pb2.Database(name=request.name)


@pytest.fixture
async def database():
    breaker = BreakerOptions(failures=1, retry_after_s=0.5)
    made = Database(NOBODY, PoolOptions(min_size=0, acquire_timeout_s=0.5), breaker)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def service(database):
    server = Server(CallGuard(8, MEBIBYTE, DaemonMetrics().add_calls([METHOD])), MEBIBYTE)
    server.add([Borrowing(database)])
    [address] = await server.start(["127.0.0.1:0"], SocketAccess())
    async with grpc.aio.insecure_channel(address) as channel:
        yield database_pb2_grpc.DatabaseServiceStub(channel)
    await server.stop(0)


async def refusal(service) -> tuple[grpc.StatusCode, ErrorInfo, RetryInfo]:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await service.GetDatabase(
            database_pb2.GetDatabaseRequest(name="databases/main"), timeout=30
        )
    status = rpc_status.from_call(raised.value)  # type: ignore[arg-type]
    assert status is not None
    info, retry = ErrorInfo(), RetryInfo()
    for each in status.details:
        each.Unpack(info)
        each.Unpack(retry)
    return raised.value.code(), info, retry


async def test_an_open_breaker_is_told_with_its_reason_and_when_to_come_back(service):
    code, info, _ = await refusal(service)
    assert (code, info.reason) == (grpc.StatusCode.UNAVAILABLE, "DATABASE_DOWN")
    code, info, retry = await refusal(service)
    assert (code, info.reason) == (grpc.StatusCode.UNAVAILABLE, "CIRCUIT_OPEN")
    assert (info.metadata["database"], info.metadata["state"]) == ("main", "open")
    assert retry.retry_delay.ToMilliseconds() == 500


async def test_one_that_was_opened_by_hand_says_who_closes_it(service, database):
    database.force_open_breaker("moving the disk")
    code, info, retry = await refusal(service)
    assert (code, info.reason) == (grpc.StatusCode.UNAVAILABLE, "CIRCUIT_OPEN")
    assert "steward db breaker reset main" in info.metadata["hint"]
    assert retry.retry_delay.ToSeconds() == BreakerOptions().open_s
