import matplotlib.pyplot as plt
import pytest
from PIL import Image

from colorgan.training import curves

KEYS = ("val/ab_error", "val/psnr", "val/colorfulness")
REFERENCES = {"val/gray_ab_error": "9", "val/gray_psnr": "20", "val/true_colorfulness": "30"}


def rows(*epochs, keys=KEYS):
    return [{"epoch": str(epoch), **dict.fromkeys(keys, str(10 - epoch)), **REFERENCES} for epoch in epochs]


@pytest.fixture
def draw(monkeypatch, tmp_path):
    """Draws, and returns the figure before it is closed."""

    def drawn(runs, seen):
        figures = []
        monkeypatch.setattr(curves.plt, "close", figures.append)
        curves.draw_comparison(runs, seen, tmp_path / "curves.png")
        monkeypatch.undo()
        plt.close(figures[0])
        return figures[0]

    return drawn


def test_the_picture_is_written(draw, tmp_path):
    draw({"gan": rows(0, 1)}, {"gan": 100})
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.format == "PNG"


def test_a_point_lies_at_the_pictures_that_its_epoch_ended_with(draw):
    figure = draw({"gan": rows(0, 1, 3), "unet": rows(0)}, {"gan": 100, "unet": 7})
    gan, unet = figure.axes[0].get_lines()[:2]
    assert [list(line.get_xdata()) for line in (gan, unet)] == [[100, 200, 400], [7]]


def test_all_runs_and_both_references_are_in_the_legend_once(draw):
    figure = draw({"gan": rows(0), "unet": rows(0)}, {"gan": 1, "unet": 1})
    assert sorted(text.get_text() for text in figure.legends[0].get_texts()) == ["gan", "gray", "true", "unet"]


def test_plain_gray_and_the_truth_are_drawn_apart(draw):
    figure = draw({"gan": rows(0)}, {"gan": 1})
    assert [axis.get_lines()[-1].get_linestyle() for axis in figure.axes] == ["--", "--", ":"]


@pytest.mark.parametrize("nothing", [[], [{"epoch": "0", "train/loss": "1"}]], ids=["no rows", "no such metric"])
def test_a_run_without_values_has_no_points(draw, nothing):
    figure = draw({"gan": rows(0), "lost": nothing}, {"gan": 1, "lost": 1})
    assert len(figure.axes[0].get_lines()[1].get_xdata()) == 0
