"""Operations through both clients: begun, found, sent again or not, and how they end when they do not end well.

The database of this daemon is away, so that each backup fails.
"""

import uuid

import pytest
from google.longrunning import operations_pb2
from steward_client import errors

from tests.support.call_proxy import ANSWERED, BEGIN, failing, status

AWAY = failing("UNAVAILABLE", "REPOSITORY_DOWN", "away")


@pytest.mark.parametrize("when", [BEGIN, ANSWERED])
@pytest.mark.parametrize("method", ["Health", "ListBackups", "CreateBackup"])
def test_what_harms_nothing_is_sent_again_by_the_service_config(both, server, method, when):
    server.fail(method, AWAY, AWAY, at=when)
    call = {
        "Health": both.health,
        "ListBackups": lambda: list(both.list_backups()),
        "CreateBackup": both.create_backup,
    }
    call[method]()
    assert server.calls[method] == 3
    assert len(server.operations) == (method == "CreateBackup")


def test_cancelling_is_not_sent_again_by_itself(both, server):
    operation = both.create_backup()
    server.fail("CancelOperation", AWAY)
    with pytest.raises(errors.Unavailable):
        operation.cancel()
    assert server.calls["CancelOperation"] == 1


def test_the_same_request_id_gets_the_same_operation(both, server):
    mine = str(uuid.uuid4())
    first = both.create_backup(request_id=mine)
    assert both.create_backup(request_id=mine).name == first.name
    other = both.create_backup()
    assert server.operations == [first.name, other.name]


def test_an_operation_that_failed_raises_its_own_error(both, server):
    operation = both.create_backup()
    with pytest.raises(errors.Unavailable) as caught:
        operation.result(timeout_s=60)
    said = server.responses[-1].error
    assert caught.value.reason == "DATABASE_DOWN"
    assert caught.value.message == said.message
    assert "main" in caught.value.message
    assert caught.value.hint


def test_a_status_that_an_operation_ended_with_is_raised_with_its_reason_and_hint(both, server):
    def end(operation: operations_pb2.Operation) -> operations_pb2.Operation:
        operation.done = True
        operation.error.CopyFrom(
            status("INTERNAL", "TOOL_FAILED", "pg_dump ended badly", "see the log")
        )
        return operation

    server.changes["WaitOperation"] = end
    with pytest.raises(errors.Failed) as caught:
        both.create_backup().result(timeout_s=60)
    assert (caught.value.reason, caught.value.hint) == ("TOOL_FAILED", "see the log")


def test_an_operation_of_an_unknown_kind_is_still_an_operation(both, server):
    strange = operations_pb2.Operation(name="operations/strange", done=True)
    strange.response.type_url = "type.googleapis.com/steward.v9.Unheard"
    server.answers["GetOperation"] = strange
    operation = both.get_operation("strange")
    assert operation.done
    assert operation.progress is None
    with pytest.raises(errors.Failed) as caught:
        operation.result()
    assert caught.value.reason == "RESPONSE_UNKNOWN"


def test_listings_take_the_beginning_of_an_id(both):
    batches = [both.validate_file(b"id\n1\n").name for _ in range(2)]
    operations = [both.create_backup().name for _ in range(2)]
    for names, listed in ((batches, both.list_batches), (operations, both.list_operations)):
        first, second = (name.partition("/")[2] for name in names)
        assert [each.name for each in listed(id_prefix=second)] == names[1:]
        shared = next(first[:end] for end in range(36, 0, -1) if second.startswith(first[:end]))
        assert {each.name for each in listed(id_prefix=shared)} >= set(names)
        nobodys = second[:-1] + ("0" if second[-1] != "0" else "1")
        assert list(listed(id_prefix=nobodys)) == []
