"""Pages that are made of the code, and pages that list what there is."""

from pathlib import Path

import pytest

from colorgan import config
from colorgan.packaged import experiments
from colorgan.systems import TABLES
from docs import generate

DOCS = Path("docs")


@pytest.mark.parametrize("page", generate.PAGES)
def test_a_page_made_of_the_code_is_current(page):
    written = (DOCS / page).read_text(encoding="utf-8")
    assert written == generate.PAGES[page](), f"run `python -m docs.generate`, which writes docs/{page}"


@pytest.mark.parametrize("node", TABLES)
def test_every_name_of_a_table_has_its_section(node):
    written = (DOCS / "experiments.md").read_text(encoding="utf-8")
    assert all(f"\n### {node}={name}\n" in written for name in TABLES[node])


def test_keys_have_types_defaults_and_meanings():
    written = (DOCS / "experiments.md").read_text(encoding="utf-8")
    assert (
        "| `optim.clip` | float or null | null | maximum gradient norm of each network; null: no clipping |" in written
    )
    assert "| `system.real_label` | float | `1.0` | target of the discriminator for real images" in written
    assert "| `codec.loss` | `l1`, `mse` | `l1` | mean over pixels and channels" in written


def test_every_page_stands_in_the_index():
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    assert not [page.name for page in DOCS.glob("*.md") if page.name != "index.md" and f"]({page.name}): " not in index]


@pytest.mark.parametrize("name", experiments())
def test_the_zoo_has_every_experiment_with_its_parts(name):
    experiment = config.load(name, [], TABLES)
    row = next(line for line in (DOCS / "zoo.md").read_text(encoding="utf-8").splitlines() if f"| `{name}` |" in line)
    if experiment.system.name != "classifier":
        assert f"| `{experiment.net.name}` x `{experiment.codec.name}` x `{experiment.system.name}` |" in row
