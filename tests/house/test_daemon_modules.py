"""The shape of the daemon's code: no circle of imports, and one type for one name."""

import ast
import tomllib
from collections import defaultdict
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "daemon" / "stewardd"
DOUBLES: dict[str, set[str]] = {}
"""Names that two types still have. This list only shrinks: a new type gets a name of its own."""


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the daemon by its dotted name below stewardd; a package by its own name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text())
    return found


def imported(tree: ast.Module) -> set[str]:
    """The daemon's modules that one imports, anywhere in it: also late and for types only."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            # `from package import module` imports the module; `from module import name` the module that has the name.
            submodules = {name for name in names if name.removeprefix("stewardd.") in modules()}
            found |= submodules or {node.module}
    below = {name.removeprefix("stewardd.") for name in found if name.startswith("stewardd.")}
    return below & set(modules())


def circles(imports: dict[str, set[str]]) -> list[list[str]]:
    """The groups of modules that import each other, directly or by way of others."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for name in imports[waiting.pop()] - seen:
                seen.add(name)
                waiting.append(name)
        return seen

    reach = {name: reached(name) for name in imports}
    groups = {
        tuple(sorted({name, *(other for other in reach[name] if name in reach[other])}))
        for name in imports
        if name in reach[name]
    }
    return sorted(list(group) for group in groups)


def test_no_modules_import_each_other_in_a_circle():
    found = circles({name: imported(tree) for name, tree in modules().items()})
    assert found == []


def test_a_circle_of_imports_would_be_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert circles({"a": {"b"}, "b": set()}) == []


def test_every_domain_is_in_each_list_of_what_it_may_not_import():
    """The contract of the layers asks for every folder (`exhaustive`); the lists of what is forbidden do not."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = settings["tool"]["importlinter"]["contracts"]
    [layers] = [each["layers"] for each in contracts if each.get("containers") == ["stewardd"]]
    first, last = layers.index("health | scheduler"), layers.index("config | metrics")
    domains = {name for layer in layers[first:last] for name in layer.split(" | ")}
    for contract in contracts:
        sources = {each.removeprefix("stewardd.") for each in contract.get("source_modules", ())}
        if sources & domains:
            missing = domains - sources
            # Who owns what the others may not import.
            assert missing <= {"postgres"} or missing <= {"repository"}, contract["name"]


def test_no_two_types_have_the_same_name():
    found = defaultdict(set)
    for module, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].add(module)
    doubles = {name: where for name, where in found.items() if len(where) > 1}
    assert doubles == DOUBLES, "rename the new one; a double that is gone goes from the list too"
