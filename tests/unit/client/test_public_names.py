"""What the package offers, and that importing it costs nothing that is not used."""

import ast
import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
import steward_client
from steward_client import AsyncClient, Client

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(steward_client.__path__, "steward_client.")
    if "__main__" not in module.name
)


def test_every_name_that_is_offered_is_there_and_is_typed():
    tree = ast.parse(Path(steward_client.__file__).read_text())
    typed = {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }
    assert typed == set(steward_client._HOMES)
    for name in steward_client.__all__:
        assert getattr(steward_client, name) is not None
    assert set(steward_client.__all__) <= set(dir(steward_client))
    with pytest.raises(AttributeError):
        _ = steward_client.Nothing


def test_both_clients_offer_the_same_methods_with_the_same_arguments():
    def methods(cls: type) -> dict[str, list[inspect.Parameter]]:
        return {
            name: [
                parameter.replace(annotation="")
                for parameter in inspect.signature(value).parameters.values()
            ]
            for name, value in inspect.getmembers(cls, inspect.isfunction)
            if not name.startswith("_")
        }

    assert methods(Client) == methods(AsyncClient)


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_in_docstrings_are_true(module):
    assert doctest.testmod(importlib.import_module(module)).failed == 0


def test_the_help_loads_neither_grpc_nor_rich():
    script = (
        "import sys\n"
        "from steward_client.command import main\n"
        "main(['--help'])\n"
        "main(['validate', '--help'])\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'grpc', 'rich', 'google', 'asyncio'}))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert ended.stdout.splitlines()[-1] == "[]"


def test_the_client_never_imports_the_daemon():
    for name in MODULES:
        source = inspect.getsource(importlib.import_module(name))
        assert "stewardd." not in source.replace("`stewardd", ""), name
