import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = [  # lowest first; imports run downward, and within a layer where they form no circle
    {
        "errors",
        "seeding",
        "packaged",
        "precision",
        "transfer",
        "memory",
        "archives",
        "allocation",
        "atomic",
        "hub",
        "artifacts",
        "remote",
    },
    {"config", "color", "color_bytes", "kernels", "hints", "imaging", "cli", "facts", "serving"},
    {"codecs", "losses", "metrics", "nets", "data", "optim"},
    {"discriminators", "colorizer"},
    {"systems"},
    {"training", "evaluation", "exporting", "frames"},
    {"study", "comparison", "diagnosis", "webpage"},
    {"__init__"},
    {"benching"},
    {
        "train",
        "sample",
        "video",
        "app",
        "prior",
        "prepare",
        "evaluate",
        "compare",
        "turing",
        "release",
        "export",
        "doctor",
        "bench",
        "__main__",
    },  # entry points: nobody imports these
]
FILES = sorted((ROOT / "colorgan").rglob("*.py"))
MODULES = {".".join(file.relative_to(ROOT).with_suffix("").parts): file for file in FILES}


def imported(module):
    """Full names of all that a module imports, at its top or within a function."""
    package = module.split(".")[:-1]
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            base = ".".join(
                [*package[: len(package) - node.level + 1], node.module or ""] if node.level else [node.module]
            )
            yield from (f"{base.strip('.')}.{alias.name}" for alias in node.names)


def own(name):
    """The module of colorgan that an imported name stands for or in; None for a name of another package."""
    parts = name.split(".") if name.split(".")[0] == "colorgan" else []
    ends = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next((m for end in ends for m in (end, f"{end}.__init__") if m in MODULES), None)


def layer(module):
    name = module.split(".")[1]
    found = [i for i, names in enumerate(LAYERS) if name in names]
    assert found, f"colorgan/{name} stands in no layer: put it into LAYERS in tests/test_layers.py"
    return found[0]


IMPORTS = {module: {own(name) for name in imported(module)} - {None} for module in MODULES}


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_downward(module):
    upward = [other for other in sorted(IMPORTS[module]) if layer(other) > layer(module)]
    assert not upward, f"{module} imports {', '.join(upward)}, which is above it"


@pytest.mark.parametrize("module", MODULES)
def test_nobody_imports_an_entry_point(module):
    assert not [other for other in sorted(IMPORTS[module]) if layer(other) == len(LAYERS) - 1]


def test_imports_form_no_circle():
    TopologicalSorter(IMPORTS).prepare()  # CycleError names the circle


def test_only_color_converts_colors():
    assert not [m for m in MODULES if any(name.startswith("kornia.color") for name in imported(m))]


def test_no_folder_is_deeper_than_two():
    assert not [file for file in FILES if len(file.relative_to(ROOT).parts) > 3]
