"""Rules of the engine's source: modules without a circle, one name a type, PyO3 in one folder, short functions.

The source is read as text, less comments, literals and test modules: no compiler is asked.
"""

import re
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "fastcsv"
SOURCE = ROOT / "src"
FUNCTION_LINES_MAX = 70

Module = tuple[str, ...]

# Comments, literals of text and of bytes, and characters that could be taken for a bracket or a quote.
NO_CODE = re.compile(
    r'//[^\n]*|/\*.*?\*/|b?r(#*)".*?"\1|b?"(?:[^"\\]|\\.)*"|b?\'(?:[^\'\\]|\\.[^\']*)\'', re.DOTALL
)


def code_of(path: Path) -> str:
    """The code of a file: what is no code is blank, every line keeps its number, and tests are gone."""
    code = NO_CODE.sub(lambda found: "\n" * found[0].count("\n"), path.read_text())
    return code.split("#[cfg(test)]\nmod tests {")[0]


def module_of(path: Path) -> Module:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return parts[:-1] if parts[-1] in ("mod", "lib") else parts


MODULES: dict[Module, str] = {
    module_of(path): code_of(path)
    for path in sorted(SOURCE.rglob("*.rs"))
    if path.name != "tests.rs"
}


def paths_in(tree: str) -> list[str]:
    """The paths of a `use`, its braces expanded."""
    start = tree.find("{")
    if start < 0:
        return [tree.split(" as ", maxsplit=1)[0].strip()]
    parts, depth, part = [], 0, ""
    for char in tree[start + 1 : tree.rindex("}")]:
        depth += {"{": 1, "}": -1}.get(char, 0)
        if char == "," and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += char
    return [tree[:start].strip() + path for it in [*parts, part] for path in paths_in(it.strip())]


def resolved(module: Module, path: str) -> Module | None:
    """The module of the crate that a path in `module` leads into; None for another crate's."""
    parts = re.sub(r"\s", "", path).split("::")
    base: Module = ()
    if parts[0] == "crate":
        parts = parts[1:]
    elif parts[0] in ("super", "self"):
        base = module
        while parts and parts[0] in ("super", "self"):
            base = base[:-1] if parts[0] == "super" else base
            parts = parts[1:]
    elif (*module, parts[0]) in MODULES:
        base = module
    else:
        return None
    for part in parts:
        if (*base, part) not in MODULES:
            break
        base = (*base, part)
    return base


def imports_of(module: Module) -> set[Module]:
    uses = re.findall(r"\buse\s+([^;]+);", MODULES[module])
    rest = re.sub(r"\buse\s+[^;]+;", "", MODULES[module])
    paths = [path for use in uses for path in paths_in(use)]
    paths += re.findall(r"(?<![\w:])\w+(?:::\w+)+", rest)
    found = {resolved(module, path) for path in paths}
    return {it for it in found if it is not None and it != module}


def test_the_modules_of_the_engine_import_in_no_circle():
    graph = {module: imports_of(module) for module in MODULES}
    assert sum(map(len, graph.values())) > 2 * len(graph), "imports were not found"
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = " -> ".join("::".join(module) or "crate" for module in error.args[1])
        pytest.fail(f"modules import in a circle: {circle}")


def test_a_name_stands_for_one_type_in_the_whole_crate():
    types = Counter(
        name
        for code in MODULES.values()
        for name in re.findall(
            r"^(?:pub(?:\(\w+\))? )?(?:struct|enum|trait|type) (\w+)", code, re.MULTILINE
        )
    )
    assert len(types) > 100, "types were not found"
    assert [name for name, count in types.items() if count > 1] == []


def test_only_the_folder_python_names_pyo3():
    naming = {"/".join(module) for module, code in MODULES.items() if "pyo3" in code.lower()}
    assert {name.split("/")[0] for name in naming} == {"python"}


RUST = [
    path
    for folder in ("src", "tests", "benches", "examples", "fuzz/fuzz_targets")
    for path in sorted((ROOT / folder).rglob("*.rs"))
]


def function_lengths(path: Path) -> Iterator[tuple[str, int]]:
    """The functions of a file in Rust, with their number of lines."""
    lines = NO_CODE.sub(lambda found: "\n" * found[0].count("\n"), path.read_text()).splitlines()
    for start, line in enumerate(lines):
        head = re.match(r"( *)(?:pub(?:\(\w+\))? )?(?:const )?(?:unsafe )?fn (\w+)", line)
        if head is None or line.rstrip().endswith(";"):
            continue
        # A method of a trait may have no body: it ends with its signature.
        last = re.compile(head[1] + r"(?:\S*[};]|\)[^{]*;)\s*$")
        end = next(at for at in range(start, len(lines)) if last.match(lines[at]))
        yield head[2], end - start + 1


def test_no_function_in_rust_is_longer_than_70_lines():
    lengths = {(path, name): length for path in RUST for name, length in function_lengths(path)}
    assert len(lengths) > 1000
    assert {where: length for where, length in lengths.items() if length > FUNCTION_LINES_MAX} == {}
