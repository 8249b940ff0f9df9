"""What the command says of operations that end otherwise than well, and what to do next."""

import re
import threading
import time

from tests.unit.client.contract_state import status


def test_an_operation_that_was_cancelled_is_told_from_one_that_failed(steward, server):
    server.backup_hold.clear()
    steward("backup", "create", "--no-wait")
    steward("backup", "create", "--no-wait")
    steward("operation", "cancel", "operations/0")
    server.fail(
        "operations/1", status("INTERNAL", "TOOL_FAILED", "pg_dump ended badly", "see the log")
    )
    listed = steward("operation", "list").stdout
    assert re.search(
        r"^operations/1 +failed +backup .*TOOL_FAILED: pg_dump ended badly$", listed, re.MULTILINE
    )
    assert re.search(r"^operations/0 +cancelled +backup ", listed, re.MULTILINE)


def test_a_watch_says_once_what_to_do_next(steward, server):
    server.backup_hold.clear()
    steward("backup", "create", "--no-wait")

    def finish():
        while not server.calls["WatchOperation"]:
            time.sleep(0.01)
        server.backup_hold.set()

    threading.Thread(target=finish).start()
    seen = steward("operation", "watch", "latest").stdout
    assert seen.count("running") >= 1
    assert re.findall(r"steward .*", seen) == ["steward backup show backups/0"]
