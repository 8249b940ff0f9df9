"""The bounds of the engine are said once: the stub, the module and the daemon's settings have the same defaults."""

import ast
import inspect
from pathlib import Path

from stewardd.config.validation import ValidationSettings

import fastcsv

STUB = Path(__file__).parents[2] / "fastcsv/python/fastcsv/_core.pyi"

# Choices of each input, and not of the daemon.
NO_SETTINGS = {"delimiter", "strict", "accept_recovered", "valid_out", "threads"}


def defaults_of_the_stub() -> dict[str, object]:
    classes = [node for node in ast.parse(STUB.read_text()).body if isinstance(node, ast.ClassDef)]
    options = next(node for node in classes if node.name == "Options")
    new = next(
        node
        for node in options.body
        if isinstance(node, ast.FunctionDef) and node.name == "__new__"
    )
    pairs = zip(new.args.kwonlyargs, new.args.kw_defaults, strict=True)
    return {name.arg: ast.literal_eval(default) for name, default in pairs if default is not None}


def defaults_of_the_engine() -> dict[str, object]:
    options = fastcsv.Options()
    return {name: getattr(options, name) for name in inspect.signature(fastcsv.Options).parameters}


def test_the_stub_has_the_defaults_of_the_engine():
    assert defaults_of_the_stub() == defaults_of_the_engine()


def test_the_stub_has_the_bounds_of_a_payload_that_the_engine_has():
    functions = [
        node for node in ast.parse(STUB.read_text()).body if isinstance(node, ast.FunctionDef)
    ]
    stub = next(node for node in functions if node.name == "validate_payload").args
    pairs = zip(stub.kwonlyargs, stub.kw_defaults, strict=True)
    engine = inspect.signature(fastcsv.validate_payload).parameters.values()
    assert {
        name.arg: ast.literal_eval(default) for name, default in pairs if default is not None
    } == {it.name: it.default for it in engine if it.kind is it.KEYWORD_ONLY}


def test_the_settings_have_the_defaults_of_the_engine():
    bounds = {
        name: value for name, value in defaults_of_the_engine().items() if name not in NO_SETTINGS
    }
    assert len(bounds) >= 11
    settings = ValidationSettings()
    assert {name: getattr(settings, name) for name in bounds} == bounds
