import re
from pathlib import Path

import pytest

from colorgan.evaluation.protocols import PROTOCOLS
from colorgan.metrics.variants import KNOWN

EVALUATION = Path("docs/evaluation.md").read_text(encoding="utf-8")
PAGES = [
    *map(Path, ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "checkpoints/README.md")),
    *Path("docs").glob("*.md"),
]


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


def without_code(page):
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)


def anchors(page):
    """Of the headings, as a forge makes them."""
    titles = re.findall(r"^#+ (.*)$", without_code(page), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_picture_page_and_section_that_is_linked_is_there(page):
    missing = []
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code(page)):
        path, _, section = link.partition("#")
        target = page.parent / path if path else page
        if "://" not in link and not (target.exists() and (not section or section in anchors(target))):
            missing.append(link)
    assert not missing
