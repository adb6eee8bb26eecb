import re
from pathlib import Path

import pytest

from colorgan.evaluation.protocols import PROTOCOLS
from colorgan.metrics.variants import KNOWN

EVALUATION = Path("docs/evaluation.md").read_text(encoding="utf-8")
PAGES = [Path("README.md"), Path("checkpoints/README.md"), *Path("docs").glob("*.md")]


@pytest.mark.parametrize("key", KNOWN)
def test_the_page_of_the_evaluator_says_what_the_code_says(key):
    title, definition = KNOWN[key].title, KNOWN[key].definition
    assert re.search(rf"^\| `{key}` \| {re.escape(title)}.*\| {re.escape(definition)} \|$", EVALUATION, re.M)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_page_of_the_evaluator_has_every_protocol_with_its_source(name):
    protocol = PROTOCOLS[name]
    what = f"{protocol.size} px: {protocol.preparation}"
    metrics = ", ".join(f"`{key}`" for key in protocol.metrics)
    assert f"\n| `{name}` | {protocol.title} | {protocol.pictures} | {what} | {metrics} |\n" in EVALUATION
    lines = " ".join(EVALUATION.split())
    assert f"- `{name}`: {protocol.source}. {protocol.differs}" in lines
    for known, value in protocol.truth.items():
        assert f"| {known} | `{name}` | {value:.2f} |" in EVALUATION


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_picture_and_page_that_is_linked_is_there(page):
    links = [link for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")) if "://" not in link]
    assert not [link for link in links if not (page.parent / link).exists()]
