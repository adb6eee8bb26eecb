"""Judging goes in batches, so that memory stays flat, and leaves out for all what one system lacks."""

import numpy as np
import pytest
import torch

from colorgan.errors import UserError
from colorgan.evaluation.colors import look
from colorgan.evaluation.judges import Judges
from colorgan.evaluation.judging import TRUTH, floors, judge
from colorgan.evaluation.painters import OtherPicture
from colorgan.evaluation.reading import BATCH, batches
from colorgan.evaluation.scoring import Seen, score

SIZE = 16


class Noise:
    """A source of random pictures; counts how many were read."""

    classes = ("sea",)

    def __init__(self, count, broken=()):
        self.count = count
        self.broken = broken
        self.loaded = 0

    def __len__(self):
        return self.count

    def label(self, index):
        return 0

    def load(self, index, size):
        self.loaded += 1
        if index in self.broken:
            raise UserError(f"{index}: broken")
        return np.random.default_rng(index).integers(0, 256, (3, size, size), np.uint8)


class Copy:
    """A painter that gives the truth, but for some pictures; remembers its batches."""

    def __init__(self, name="copy", lacks=(), error=UserError):
        self.name = name
        self.lacks = lacks
        self.error = error
        self.batches = []

    def paint(self, indices, rgb):
        self.batches.append(list(indices))
        return [self.error(f"{i}: no") if i in self.lacks else rgb[place] for place, i in enumerate(indices)]


@pytest.fixture
def judges():
    return Judges(None, ["sea"], frozenset({"lpips", "fid"}))


def judged(source, painters, judges):
    """The painters and the floors on all pictures."""
    colors = look(source, SIZE)
    return judge(source, [*floors(colors), *painters], colors, SIZE, judges)


def test_the_reader_is_at_most_one_batch_ahead():
    source, given = Noise(5 * BATCH + 3), 0
    for rows, rgb in batches(source, range(len(source)), SIZE, print):
        assert len(rows) == len(rgb) <= BATCH
        given += len(rows)
        assert source.loaded <= given + BATCH
    assert given == source.loaded == len(source)


def test_the_reader_gives_every_picture_in_its_place():
    source = Noise(2 * BATCH + 1)
    rows, pictures = zip(*batches(source, [5, 3, *range(20, 33)], SIZE, print), strict=True)
    assert [row for part in rows for row in part] == [5, 3, *range(20, 33)]
    assert torch.equal(torch.cat(pictures)[1], torch.from_numpy(source.load(3, SIZE)))


def test_the_reader_complains_in_order_of_what_it_leaves_out():
    said = []
    broken = (1, 2, 9, *range(BATCH, 2 * BATCH), 2 * BATCH)
    found = [*batches(Noise(2 * BATCH + 2, broken), range(2 * BATCH + 2), SIZE, said.append)]
    assert [row for rows, _ in found for row in rows] == sorted(set(range(2 * BATCH + 2)) - set(broken))
    assert said == [f"{row}: broken" for row in broken]


def test_a_system_never_gets_more_than_a_batch(judges):
    copy = Copy()
    found = judged(Noise(3 * BATCH + 2), [copy], judges)
    assert [len(part) for part in copy.batches] == [BATCH] * 3 + [2]
    assert found.rows == list(range(3 * BATCH + 2))


def test_scores_are_those_of_each_picture_alone(judges):
    source = Noise(BATCH + 2)
    found = judged(source, [Copy()], judges)
    last = torch.from_numpy(source.load(BATCH + 1, SIZE))[None]
    (gray,) = floors(look(source, SIZE))[0].paint([0], last)
    expected = score(Seen(gray[None]), Seen(last), torch.ones(1, SIZE, SIZE))
    for metric in ("psnr", "ssim", "ab_error", "rmse_ab", "ciede2000", "mae", "acc5", "auc", "colorfulness"):
        assert found.scores["gray"][metric][-1] == pytest.approx(expected[metric].item(), rel=1e-4)


def test_no_batch_leaves_a_tensor_of_its_own_behind(judges):
    """Such tensors hold glibc's heap open around the large ones, so that memory grows by 9 MB a picture."""
    found = judged(Noise(BATCH + 2), [Copy()], judges)
    assert all(len(values.base) == BATCH + 2 for scores in found.scores.values() for values in scores.values())


def test_what_one_system_lacks_is_left_out_for_all(judges):
    found = judged(Noise(BATCH + 4, broken=(0,)), [Copy("a", lacks=(2,)), Copy("b", lacks=(2, BATCH + 1))], judges)
    assert found.rows == [i for i in range(BATCH + 4) if i not in (0, 2, BATCH + 1)]
    assert found.problems == ["0: broken", "2: no", "2: no", f"{BATCH + 1}: no"]
    lengths = {len(values) for scores in found.scores.values() for values in scores.values()}
    assert lengths == {BATCH + 1} == {len(found.weights)} == {len(found.rebalanced["a"])}


def test_a_batch_that_nobody_has_is_left_out(judges):
    assert judged(Noise(2 * BATCH), [Copy(lacks=range(BATCH))], judges).rows == list(range(BATCH, 2 * BATCH))


def test_the_truth_is_measured_where_a_value_needs_no_truth(judges):
    found = judged(Noise(3), [Copy()], judges)
    assert found.scores[TRUTH].keys() == {"colorfulness", "colorfulness_ddcolor"}
    np.testing.assert_array_equal(found.scores[TRUTH]["colorfulness"], found.scores["copy"]["colorfulness"])


@pytest.mark.parametrize(("wrong", "stops"), [(3 * BATCH // 2 + 1, True), (3 * BATCH // 2, False)])
def test_names_are_said_to_be_shuffled_if_most_pictures_are_others(judges, wrong, stops):
    painter = Copy(lacks=range(wrong), error=OtherPicture)
    if stops:
        with pytest.raises(UserError, match=f"'copy': {wrong} or more of {3 * BATCH} pictures are not what"):
            judged(Noise(3 * BATCH), [painter], judges)
    else:
        assert len(judged(Noise(3 * BATCH), [painter], judges).rows) == 3 * BATCH - wrong


@pytest.mark.parametrize("lacks", [range(3), range(2)])
def test_fewer_than_two_pictures_are_not_judged(judges, lacks):
    with pytest.raises(UserError, match="no fewer than two are judged; the first problem: 0: no"):
        judged(Noise(3), [Copy(lacks=lacks)], judges)


def test_progress_counts_all_pictures(judges):
    source, seen = Noise(BATCH + 2), []
    colors = look(source, SIZE)
    judge(source, floors(colors), colors, SIZE, judges, seen.append)
    assert seen == [BATCH, BATCH + 2]


def test_the_prior_is_a_distribution_of_what_can_be_read():
    colors = look(Noise(4, broken=(1,)), SIZE)
    assert colors.readable == [0, 2, 3] and colors.problems == ["1: broken"]
    assert colors.prior.shape == (313,) and colors.prior.sum().item() == pytest.approx(1)
