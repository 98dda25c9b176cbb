"""Writes generated/ from protos/, or with --check tells which files differ from what it would write."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
GENERATED = ROOT / "generated"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when files differ")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        if not generate(fresh):
            return 1
        if not check:
            write(fresh)
            return 0
        stale = differences(fresh)
    for name in stale:
        print(f"generated/{name} is not what protos/ says", file=sys.stderr)
    if stale:
        print("run: python tools/generate.py", file=sys.stderr)
    return 1 if stale else 0


def generate(out: Path) -> bool:
    """Fills `out` with the modules and stubs of every proto. False when protoc refuses; it says why."""
    protos = sorted(path.relative_to(PROTOS).as_posix() for path in PROTOS.rglob("*.proto"))
    # grpcio-tools brings protoc's own well-known protos as package data, and finds plug-ins only on PATH.
    command = [
        "protoc",
        f"-I{PROTOS}",
        f"-I{files('grpc_tools') / '_proto'}",
        f"--plugin=protoc-gen-mypy_grpc={Path(sys.executable).parent / 'protoc-gen-mypy_grpc'}",
        f"--python_out={out}",
        f"--pyi_out={out}",
        f"--grpc_python_out={out}",
        f"--mypy_grpc_out=quiet:{out}",
        *protos,
    ]
    if protoc.main(command) != 0:
        return False
    for proto in protos:
        if "\nservice " not in (PROTOS / proto).read_text(encoding="utf-8"):
            # protoc writes a module without content for protos that hold only messages.
            stem = proto.removesuffix(".proto")
            for suffix in ("_pb2_grpc.py", "_pb2_grpc.pyi"):
                (out / f"{stem}{suffix}").unlink(missing_ok=True)
    (out / "postroom" / "py.typed").touch()
    return True


def write(fresh: Path) -> None:
    """Puts the fresh files in place, leaves equal ones untouched and removes what no proto makes any more."""
    for name in differences(fresh):
        source, target = fresh / name, GENERATED / name
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        else:
            target.unlink()


def differences(fresh: Path) -> list[str]:
    """Names the files that are missing, differ by a byte, or should not be there."""
    return [
        name
        for name in sorted(names(fresh) | names(GENERATED))
        if not (fresh / name).exists()
        or not (GENERATED / name).exists()
        or (fresh / name).read_bytes() != (GENERATED / name).read_bytes()
    ]


def names(root: Path) -> set[str]:
    return {
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


if __name__ == "__main__":
    sys.exit(main())
