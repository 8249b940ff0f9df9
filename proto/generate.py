"""Generates the Python modules of the contract, their type stubs, and the image that buf lints.

Run by `make proto` in a tool environment of its own: the build's grpcio-tools is pinned lower than what the daemon
runs on, so that the modules load on older and newer runtimes alike, and the two cannot share one environment.

`python proto/generate.py OUT [--image FILE]` writes below OUT what it finds in proto/steward.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

HERE = Path(__file__).resolve().parent


def google_includes(into: Path) -> list[Path]:
    """Returns the include folders of Google's protos.

    googleapis-common-protos ships operations.proto under another file name than the one that its own descriptor, and
    every other language, knows; it is laid out here under the name that everybody imports.
    """
    spec = importlib.util.find_spec("google.longrunning")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("googleapis-common-protos is not installed")
    longrunning = Path(spec.submodule_search_locations[0])
    target = into / "google" / "longrunning" / "operations.proto"
    target.parent.mkdir(parents=True)
    shutil.copy(longrunning / "operations_proto.proto", target)
    return [into, longrunning.parent.parent, Path(str(files("grpc_tools") / "_proto"))]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--image", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        includes = [f"-I{folder}" for folder in [HERE, *google_includes(Path(scratch))]]
        sources = sorted(str(path.relative_to(HERE)) for path in HERE.glob("steward/**/*.proto"))
        out = str(arguments.out)
        outputs = [f"--python_out={out}", f"--grpc_python_out={out}"]
        outputs += [f"--mypy_out={out}", f"--mypy_grpc_out={out}"]
        if arguments.image is not None:
            outputs = [f"--descriptor_set_out={arguments.image}"]
            outputs += ["--include_imports", "--include_source_info"]
        return int(protoc.main(["protoc", *includes, *outputs, *sources]))


if __name__ == "__main__":
    sys.exit(main())
