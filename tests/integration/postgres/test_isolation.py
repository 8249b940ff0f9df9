"""Programs run without a network where the system allows it, under their account and with no further rights."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from stewardd.postgres.accounts import Account, choose_account
from stewardd.postgres.isolation import IsolationMethod, NetworkIsolation, find_isolation, isolated

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has namespaces")

SEEN = (
    "sed -n 's/^ *\\([^:]*\\):.*/\\1/p' /proc/net/dev; id -u; id -G;"
    " sed -n 's/^\\(NoNewPrivs\\|CapEff\\):\\s*//p' /proc/self/status"
)
NO_NAMESPACE = (
    "from stewardd.postgres.accounts import choose_account\n"
    "from stewardd.postgres.isolation import find_isolation\n"
    "found = find_isolation(choose_account(None))\n"
    "print(found.method, found.refusal)\n"
)


WAYS = {
    IsolationMethod.ROOT: ("unshare", "--net", "true"),
    IsolationMethod.USER: ("unshare", "--user", "--net", "true"),
}


def allows(account: Account, method: IsolationMethod) -> bool:
    """Whether the system lets util-linux do the same: many containers make no namespaces."""
    if method is IsolationMethod.ROOT:
        return (
            account.lent
            and subprocess.run(WAYS[method], check=False, capture_output=True).returncode == 0
        )
    program = shutil.which("unshare")
    return program is not None and account.run([program, *WAYS[method][1:]], timeout_s=30)[0] == 0


@pytest.fixture
def account() -> Account:
    return choose_account(None)


def seen(account: Account) -> list[str]:
    status, output = account.run(["/bin/sh", "-c", SEEN], timeout_s=30)
    assert status == 0, output
    return output.split()


@pytest.mark.parametrize(
    "method", list(IsolationMethod), ids=[each.value for each in IsolationMethod]
)
def test_a_program_sees_no_interface_and_is_who_it_was_without_rights(account, method):
    if not allows(account, method):
        pytest.skip("this system makes no such namespace")
    group = str(account.gid)
    assert seen(account)[-4:-2] == [str(account.uid), group]
    found = seen(isolated(account, NetworkIsolation(method)))
    assert found == ["lo", str(account.uid), group, "0" * 16, "1"]


def test_the_best_way_is_found_by_trying(account):
    best = next((method for method in IsolationMethod if allows(account, method)), None)
    found = find_isolation(account)
    assert found.method is best
    assert bool(found.refusal) is (best is None)


def test_a_system_that_refuses_is_told_and_the_program_runs_as_it_did(account):
    """In a user namespace whose kernel makes no further network namespaces."""
    made = subprocess.run(["unshare", "--user", "--map-root-user", "true"], check=False)
    if made.returncode != 0:
        pytest.skip("this system makes no user namespace")
    command = 'echo 0 > /proc/sys/user/max_net_namespaces && exec "$0" "$@"'
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", command, sys.executable, "-c", NO_NAMESPACE],
        capture_output=True,
        text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.startswith("None no network namespace: ")
    assert isolated(account, NetworkIsolation(None, "no")) is account


def test_a_program_that_is_not_there_fails_as_it_does_without(account):
    status, output = isolated(account, find_isolation(account)).run(["/nonexistent"], timeout_s=30)
    assert status != 0
    assert "No such file" in output
    assert os.getuid() == os.geteuid()
