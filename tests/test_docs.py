import re
from pathlib import Path

import pytest

from colorgan.metrics.registry import METRICS

EVALUATION = Path("docs/evaluation.md").read_text(encoding="utf-8")
PAGES = [Path("README.md"), Path("checkpoints/README.md"), *Path("docs").glob("*.md")]


@pytest.mark.parametrize("key", METRICS)
def test_the_page_of_the_evaluator_says_what_the_code_says(key):
    title, definition = METRICS[key].title, METRICS[key].definition
    assert re.search(rf"^\| `{key}` \| {re.escape(title)}.*\| {re.escape(definition)} \|$", EVALUATION, re.M)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_picture_and_page_that_is_linked_is_there(page):
    links = [link for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")) if "://" not in link]
    assert not [link for link in links if not (page.parent / link).exists()]
