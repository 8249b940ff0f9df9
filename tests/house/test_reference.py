"""What is generated is fresh, and what is documented is all there is."""

import re
import subprocess
import sys
from pathlib import Path

from stewardd import errors

ROOT = Path(__file__).parents[2]


def test_the_reference_pages_are_fresh(tmp_path):
    subprocess.run([sys.executable, "scripts/reference.py", tmp_path], cwd=ROOT, check=True)
    for page in tmp_path.iterdir():
        assert page.read_text() == (ROOT / "docs" / page.name).read_text(), (
            f"run `make docs`: {page.name}"
        )


def test_the_sample_files_are_what_their_generator_writes(tmp_path):
    subprocess.run([sys.executable, "examples/generate.py", tmp_path], cwd=ROOT, check=True)
    made = sorted(tmp_path.iterdir())
    assert len(made) == 3
    for sample in made:
        assert sample.read_bytes() == (ROOT / "examples" / sample.name).read_bytes(), sample.name


def test_the_generated_modules_are_fresh(tmp_path):
    uv = Path(sys.executable).parent / "uv"
    subprocess.run(["make", "proto-into", f"OUT={tmp_path}"], cwd=ROOT, check=True)
    assert uv.exists()
    made = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(made) >= 20
    for path in made:
        there = ROOT / "proto" / path.relative_to(tmp_path)
        assert path.read_bytes() == there.read_bytes(), f"run `make proto`: {there.name}"


def test_the_readme_leads_to_every_page():
    readme = (ROOT / "README.md").read_text()
    pages = sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md"))
    assert len(pages) > 20
    assert [page for page in pages if page not in readme] == []


def test_the_drawn_tree_of_errors_holds_every_class_below_its_parent():
    drawn, parents = {}, {}
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^    ((?:[│ ]   )*(?:[├└]── )?)([A-Z]\w+)", line)
        if found:
            depth, name = len(found[1]) // 4, found[2]
            parents[depth] = name
            drawn[name] = parents.get(depth - 1)
    classes = [cls for cls in vars(errors).values() if isinstance(cls, type)]
    known = {cls for cls in classes if issubclass(cls, errors.StewardError)}
    assert drawn == {
        cls.__name__: cls.__base__.__name__ if cls.__base__ in known else None for cls in known
    }


def test_every_error_has_a_reason_of_its_own():
    reasons = [cls.reason for cls in every_error(errors.StewardError)]
    assert sorted(reasons) == sorted(set(reasons))


def every_error(cls):
    yield cls
    for below in cls.__subclasses__():
        yield from every_error(below)
