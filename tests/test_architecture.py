"""The rooms of docs/design.md, kept by reading every import in the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import recdistill

SOURCE = Path(recdistill.__file__).parent
# From the ground up: a room imports rooms of lower floors, and itself. Rooms of one floor do not know each other.
FLOORS = [
    {"errors"},
    {"files", "settings", "progress", "texts"},
    {"data", "asking"},
    {"signals"},
    {"training", "language"},
    {"models"},
    {"teachers", "compression"},
    {"distill"},
    {"evaluation"},
    {"bundle"},
    {"config", "serving"},
    {"pipeline", "client"},
    {"cli"},
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
HEAVY = {"torch", "transformers", "onnx", "onnxruntime", "matplotlib", "sklearn", "scipy"}


class Import(NamedTuple):
    file: Path
    line: int
    module: str
    lazy: bool
    """Inside a function: paid for only when it is called."""


def _module_name(file: Path) -> str:
    parts = file.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def _imports(node: ast.AST, file: Path, lazy: bool = False) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if _type_checking(child):
            continue
        if isinstance(child, ast.Import):
            yield from (Import(file, child.lineno, name.name, lazy) for name in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert not child.level, f"{file}:{child.lineno} imports relatively"
            yield Import(file, child.lineno, child.module or "", lazy)
            # `from package import module` names a module too.
            yield from (
                Import(file, child.lineno, f"{child.module}.{name.name}", lazy)
                for name in child.names
            )
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _imports(child, file, lazy or inside)


def _all_imports() -> list[Import]:
    files = sorted(SOURCE.rglob("*.py"))
    assert len(files) > 20
    return [found for file in files for found in _imports(ast.parse(file.read_text()), file)]


IMPORTS = _all_imports()


def _room(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "recdistill" and len(parts) > 1 else None


def _where(found: Import) -> str:
    return f"{found.file.relative_to(SOURCE.parent)}:{found.line} imports {found.module}"


def test_every_room_has_a_floor() -> None:
    rooms = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert rooms - {"__init__", "__pycache__", "py"} <= set(FLOOR_OF) | {"py"}


def test_rooms_import_downwards_only() -> None:
    wrong = []
    for found in IMPORTS:
        here, there = _room(_module_name(found.file)), _room(found.module)
        if here is None or there is None or there not in FLOOR_OF or here == there:
            continue
        if FLOOR_OF[there] >= FLOOR_OF[here]:
            wrong.append(_where(found))
    assert wrong == []


def _may_open_the_test(module: str) -> bool:
    return module == "recdistill.data.holdout" or _room(module) in ("evaluation", "pipeline")


def test_only_evaluation_and_pipeline_open_the_test() -> None:
    openers = [
        found
        for found in IMPORTS
        if found.module == "recdistill.data.holdout"
        or found.module.startswith("recdistill.data.holdout.")
    ]
    wrong = [_where(found) for found in openers if not _may_open_the_test(_module_name(found.file))]
    assert wrong == []


def test_only_preparation_and_the_holdout_know_where_the_test_lies() -> None:
    """The name of the test file is written once, and used by who writes it and by who may open it."""
    users = set()
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            named = isinstance(node, ast.Attribute) and ast.unparse(node) == "layout.TEST"
            spelled = isinstance(node, ast.Constant) and node.value == "holdout/test.parquet"
            if named or spelled:
                users.add(_module_name(file).removeprefix("recdistill.data."))
    assert users == {"layout", "preparation", "holdout"}


TORCHLESS = {
    "errors",
    "files",
    "settings",
    "progress",
    "data",
    "asking",
    "signals",
    "serving",
    "client",
}


def _torchless_modules() -> set[str]:
    """The rooms without torch, and `bundle/loading.py` with everything of the bundle that it imports."""
    found = {_module_name(file) for file in SOURCE.rglob("*.py")}
    modules = {module for module in found if _room(module) in TORCHLESS}
    if "recdistill.bundle.loading" not in found:
        return modules
    left = ["recdistill.bundle.loading"]
    while left:
        module = left.pop()
        if module in modules:
            continue
        modules.add(module)
        left += [i.module for i in IMPORTS if _module_name(i.file) == module and i.module in found]
    return modules


def test_data_signals_and_the_loading_of_bundles_know_no_torch() -> None:
    modules = _torchless_modules()
    wrong = [
        _where(found)
        for found in IMPORTS
        if _module_name(found.file) in modules
        and found.module.split(".")[0] in {"torch", "transformers"}
    ]
    assert wrong == []


def _python(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_importing_recdistill_is_quick_and_light() -> None:
    """Under half a second of processor time, the best of three; neither torch nor transformers come along."""
    code = (
        "import sys, time; began = time.process_time(); import recdistill; "
        "print(time.process_time() - began, *sorted({m.split('.')[0] for m in sys.modules}))"
    )
    answers = [_python(code).split() for _ in range(3)]
    assert min(float(answer[0]) for answer in answers) < 0.5
    assert not HEAVY & set(answers[0][1:])


def test_preparing_and_opening_data_needs_no_torch() -> None:
    code = (
        "import sys, recdistill; recdistill.load_dataset; import recdistill.data.holdout; "
        "print(*sorted({m.split('.')[0] for m in sys.modules}))"
    )
    assert not {"torch", "transformers"} & set(_python(code).split())


@pytest.mark.parametrize("folder", ["src", "benchmarks", "examples", "recipes", "docs", "tools"])
def test_nothing_points_at_a_machine(folder: str) -> None:
    """Sources name no absolute path of the machine they were written on."""
    root = SOURCE.parent.parent / folder
    absolute = "/" + "work/"
    files = [f for f in root.rglob("*") if f.suffix in (".py", ".yaml", ".md", ".json", "")]
    texts = {file: file.read_text(errors="ignore") for file in files if file.is_file()}
    assert [str(file) for file, text in texts.items() if absolute in text] == []


def test_a_server_needs_neither_torch_nor_pyarrow() -> None:
    """Its image holds neither (deploy/requirements.in)."""
    code = (
        "import sys, recdistill.cli.app, recdistill.serving.workers.worker, recdistill.serving.workers.supervisor; "
        "print(*sorted({m.split('.')[0] for m in sys.modules}))"
    )
    assert not {"torch", "transformers", "pyarrow", "onnx"} & set(_python(code).split())
