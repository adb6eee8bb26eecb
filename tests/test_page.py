"""The results page: complete, and closed to the outside."""

import base64
import io
import json
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from colorgan.evaluation import page
from colorgan.evaluation.page import write_page
from colorgan.metrics.registry import METRICS
from tests.paging import COUNT, NASTY, SIZE, STEPS, SYSTEMS, WHY, make_arguments, value


@pytest.fixture
def arguments():
    """The arguments of write_page but the path."""
    return make_arguments()


class Parsed(HTMLParser):
    """The elements of a page with their attributes, and the texts in and outside of its scripts."""

    def __init__(self, path):
        super().__init__()
        self.elements, self.texts = [], {}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, text):
        raw = self.cdata_elem and (self.cdata_elem, self.elements[-1][1].get("type"))
        self.texts[raw] = self.texts.get(raw, "") + text

    def data(self):
        return json.loads(self.texts["script", "application/json"])

    def all(self, name):
        return [attributes for tag, attributes in self.elements if tag == name]


@pytest.fixture
def parse(tmp_path):
    """Writes the page and reads it: parse(**arguments)."""

    def write(**given):
        write_page(tmp_path / "page.html", **given)
        return Parsed(tmp_path / "page.html")

    return write


def test_nothing_comes_from_outside(arguments, parse, tmp_path):
    parsed = parse(**arguments)
    links = [a[key] for _, a in parsed.elements for key in ("src", "href", "srcset", "action", "poster") if key in a]
    assert links and all(link.startswith(("data:", "#")) for link in links)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert not any(outside in text for outside in ("http://", "https://", "url(", "@import", "fetch("))


def test_only_the_script_of_the_page_may_run(arguments, parse):
    parsed = parse(**arguments)
    policy = next(a["content"] for a in parsed.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert (
        page._csp_digest(parsed.texts["script", None]) in policy
        and page._csp_digest(parsed.texts["style", None]) in policy
    )


def test_names_and_notes_are_text(arguments, parse):
    parsed = parse(**arguments)
    assert len(parsed.all("img")) == COUNT * (len(SYSTEMS) + 1)
    assert not any(key.startswith("on") for _, attributes in parsed.elements for key in attributes)
    assert parsed.texts[None].count(NASTY) >= 4  # as root, note, system and picture
    assert NASTY in parsed.data()["metrics"]["psnr"]["values"]


def test_every_system_metric_and_reason_is_there(arguments, parse):
    text = parse(**arguments).texts[None]
    wanted = [*SYSTEMS, "truth", *(metric.title for metric in METRICS.values()), f"LPIPS: {WHY}"]
    assert [item for item in wanted if item not in text] == []


def test_what_one_system_lacks_names_it(arguments, parse):
    arguments["results"]["systems"]["plain"]["fid"] = value(None) | {"why": "Too few."}
    assert "FID (Inception), of plain: Too few." in parse(**arguments).texts[None]


def test_embedded_pictures_are_the_given_ones(arguments, parse):
    urls = [attributes["src"] for attributes in parse(**arguments).all("img")]
    decoded = [Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) for url in urls[: len(SYSTEMS) + 1]]
    assert {picture.size for picture in decoded} == {(SIZE, SIZE)}
    assert [round(np.asarray(picture).mean() / 50) for picture in decoded] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("same", [0.0, 1e-9, 100.0, -3e7])
def test_values_that_are_all_the_same_fill_one_bin(arguments, parse, same):
    for name in SYSTEMS:
        arguments["scores"][name]["psnr"] = np.full(COUNT, same)
    bars = parse(**arguments).data()["metrics"]["psnr"]["bars"]
    assert all(sorted(bar["counts"])[-2:] == [0, COUNT] for bar in bars.values())


def test_one_far_value_keeps_the_axis(arguments, parse):
    arguments["scores"] = {name: {"psnr": np.linspace(20, 30, 400)} for name in SYSTEMS}
    arguments["scores"]["plain"]["psnr"] = np.append(np.linspace(20, 30, 399), 100)
    data = parse(**arguments).data()["metrics"]["psnr"]
    assert float(data["ticks"][-1]) < 31 and sum(data["bars"]["plain"]["counts"]) == 400


def test_a_page_without_pictures(arguments, parse):
    assert parse(**arguments | {"gallery": []}).all("img") == []


@pytest.mark.parametrize(
    ("metric", "given", "written"),
    [
        ("psnr", 27.314, "27.31"),
        ("ssim", -0.0001, "0.000"),
        ("acc2", 5.26, "5.3"),
        ("colorfulness", 33.33, "33.3"),
        ("fid", 7.654, "7.65"),
        ("fid_classifier", 1234.5, "1234"),
        ("fid", 0.0, "0"),
    ],
)
def test_numbers_have_the_digits_of_their_metric(metric, given, written):
    assert METRICS[metric].format(given) == written


@pytest.mark.parametrize(("metric", "best"), [("psnr", [3, 4, 5, 0, 2, 1]), ("ab_error", [1, 2, 0, 5, 4, 3])])
def test_pictures_are_sorted_in_the_better_direction(arguments, parse, metric, best):
    arguments["scores"]["plain"][metric] = STEPS
    assert parse(**arguments).data()["metrics"][metric]["orders"]["plain"] == best


def test_colorfulness_is_sorted_by_its_distance_to_each_true_picture(arguments, parse):
    arguments["scores"]["truth"]["colorfulness"] = np.arange(6.0)
    arguments["scores"]["plain"]["colorfulness"] = np.array([5.0, 5.0, -1.0, 5.0, 4.0, 6.0])
    assert parse(**arguments).data()["metrics"]["colorfulness"]["orders"]["plain"] == [4, 5, 3, 2, 1, 0]


def test_colorfulness_without_true_values_is_sorted_by_their_mean(arguments, parse):
    del arguments["scores"]["truth"]
    arguments["scores"]["plain"]["colorfulness"] = np.array([9.0, 1.5, 5.1, 4.0, 7.0, 4.5])  # the truth's is 5
    assert parse(**arguments).data()["metrics"]["colorfulness"]["orders"]["plain"] == [2, 5, 3, 4, 1, 0]


def test_a_baseline_is_never_the_best(arguments, parse, tmp_path):
    arguments["results"]["systems"]["gray"]["psnr"] = value(99.0)
    parse(**arguments)
    rows = (tmp_path / "page.html").read_text(encoding="utf-8").split("<tr class=")
    assert [row[:7] for row in rows if 'class="best" title=""><b>25.00' in row] == ['"system']
    assert not any('class="best"' in row for row in rows if row.startswith('"floor'))
