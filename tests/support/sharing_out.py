"""How the tests are shared out between the processes of pytest-xdist (`-n`): a module goes to one process as a whole.

So what a module shares by its fixtures is made once. Modules that would get into each other's way say
`pytest.mark.xdist_group("…")`, and one process gets them all. They go out in the order of collection, the slow ones of
tests/acceptance first, so that the small ones of tests/unit even out the end.
"""

from __future__ import annotations

from xdist.scheduler import LoadGroupScheduling


class ModuleScheduling(LoadGroupScheduling):
    """Shares out by the group of a test, or by its module where it has none."""

    def _split_scope(self, nodeid: str) -> str:
        group: str = super()._split_scope(nodeid)
        return group.partition("::")[0]
