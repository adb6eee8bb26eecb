"""The results page does in a browser what it says."""

import pytest

from colorgan.evaluation.page import write_page
from tests.paging import NASTY, SYSTEMS, make_arguments


@pytest.fixture
def opened(chromium, tmp_path):
    """The page in a browser; no test may leave a word in its console, nor ask for another file."""
    write_page(tmp_path / "page.html", **make_arguments())
    tab, said, asked = chromium.new_page(), [], []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(f"{(tmp_path / 'page.html').as_uri()}#metric=psnr&system=plain&filter=&no=1")
    yield tab
    tab.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("data:", "file:", "about:"))] == []


def pictures(tab):
    return tab.locator(".picture:visible h3").all_inner_texts()


def test_a_click_on_a_metric_sorts_the_table_and_a_second_undoes_it(opened):
    head = opened.locator("th[data-metric=psnr] button")
    first = opened.locator("tbody:first-of-type th")
    head.click()
    assert first.all_inner_texts() == [NASTY, "plain", "mean color", "gray"]
    head.click()
    assert tuple(first.all_inner_texts()) == SYSTEMS


def test_the_gallery_is_sorted_and_filtered(opened):
    opened.select_option("[name=order]", "worst")
    opened.fill("[name=filter]", "SEA")
    assert pictures(opened) == [f"sea/{i}.png" for i in (1, 2, 0, 4, 3)]


def test_a_view_is_shared_by_its_address(opened):
    opened.select_option("[name=order]", "best")
    opened.fill("[name=filter]", "sea/")
    address = opened.url
    opened.goto("about:blank")
    opened.goto(address)
    assert pictures(opened) == [f"sea/{i}.png" for i in (3, 4, 0, 2, 1)]


def test_enter_opens_an_enlarged_picture_and_closes_it(opened):
    opened.locator(".picture figure[data-system=plain] button").first.press("Enter")
    assert opened.locator("dialog").is_visible()
    opened.keyboard.press("Enter")
    assert opened.locator("dialog").is_hidden()


def test_arrows_move_through_enlarged_pictures(opened):
    opened.locator(".picture figure[data-system=plain] button").first.press("Enter")
    opened.keyboard.press("ArrowRight")
    opened.keyboard.press("ArrowUp")
    assert opened.locator("dialog h3").inner_text() == "sea/1.png"
    shown = opened.locator("dialog figure").evaluate_all("all => all.map(one => one.dataset.system)")
    assert shown == ["gray", "mean color", "truth"]
