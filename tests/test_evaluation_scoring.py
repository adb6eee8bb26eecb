"""Scoring goes in batches, so that memory stays flat, and leaves out for all what one predictor lacks."""

import numpy as np
import pytest
import torch

from colorgan.errors import UserError
from colorgan.evaluation.dataset import BATCH_SIZE, color_statistics, read_batches
from colorgan.evaluation.predictors import TRUTH, Mismatch, make_baselines
from colorgan.evaluation.scoring import score
from colorgan.metrics.metric import Batch, RebalancingWeights
from colorgan.metrics.networks import FeatureNetworks
from colorgan.metrics.registry import METRICS

SIZE = 16


class Noise:
    """A dataset of random pictures; counts how many were read."""

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
    """A predictor that gives the truth, but for some pictures; remembers its batches."""

    def __init__(self, name="copy", lacks=(), error=UserError):
        self.name = name
        self.lacks = lacks
        self.error = error
        self.batches = []

    def predict(self, indices, rgb):
        self.batches.append(list(indices))
        return [self.error(f"{i}: no") if i in self.lacks else rgb[place] for place, i in enumerate(indices)]


@pytest.fixture
def networks():
    return FeatureNetworks(None, ["sea"], ["lpips", "fid"])


def scored(dataset, predictors, networks):
    """The scores of the predictors and the baselines on all pictures."""
    statistics = color_statistics(dataset, SIZE)
    return score(dataset, [*make_baselines(statistics.mean_ab), *predictors], statistics, SIZE, networks)


def test_the_reader_is_at_most_one_batch_ahead():
    dataset, given = Noise(5 * BATCH_SIZE + 3), 0
    for rows, rgb in read_batches(dataset, range(len(dataset)), SIZE, print):
        assert len(rows) == len(rgb) <= BATCH_SIZE
        given += len(rows)
        assert dataset.loaded <= given + BATCH_SIZE
    assert given == dataset.loaded == len(dataset)


def test_the_reader_gives_every_picture_in_its_place():
    dataset = Noise(2 * BATCH_SIZE + 1)
    rows, pictures = zip(*read_batches(dataset, [5, 3, *range(20, 33)], SIZE, print), strict=True)
    assert [row for part in rows for row in part] == [5, 3, *range(20, 33)]
    assert torch.equal(torch.cat(pictures)[1], torch.from_numpy(dataset.load(3, SIZE)))


def test_the_reader_complains_in_order_of_what_it_leaves_out():
    said = []
    broken = (1, 2, 5, *range(BATCH_SIZE, 2 * BATCH_SIZE), 2 * BATCH_SIZE)
    found = [*read_batches(Noise(2 * BATCH_SIZE + 2, broken), range(2 * BATCH_SIZE + 2), SIZE, said.append)]
    assert [row for rows, _ in found for row in rows] == sorted(set(range(2 * BATCH_SIZE + 2)) - set(broken))
    assert said == [f"{row}: broken" for row in broken]


def test_a_predictor_never_gets_more_than_a_batch(networks):
    copy = Copy()
    found = scored(Noise(3 * BATCH_SIZE + 2), [copy], networks)
    assert [len(part) for part in copy.batches] == [BATCH_SIZE] * 3 + [2]
    assert found.indices == list(range(3 * BATCH_SIZE + 2))


def test_scores_are_those_of_each_picture_alone(networks):
    dataset = Noise(BATCH_SIZE + 2)
    found = scored(dataset, [Copy()], networks)
    last = torch.from_numpy(dataset.load(BATCH_SIZE + 1, SIZE))[None]
    (gray,) = make_baselines(torch.zeros(2))[0].predict([0], last)
    rebalancing = RebalancingWeights(color_statistics(dataset, SIZE).prior)
    predicted, truth = (Batch(pixels, ["sea"], networks, rebalancing) for pixels in (gray[None], last))
    for metric in METRICS.values():
        if metric.needs is None:
            expected = metric.measure(predicted, truth)[0].numpy()
            np.testing.assert_allclose(found.values["gray"][metric.measure][-1], expected, rtol=1e-4)


def test_no_batch_leaves_a_tensor_of_its_own_behind(networks):
    """Such tensors hold glibc's heap open around the large ones, so that memory grows by 9 MB a picture."""
    found = scored(Noise(BATCH_SIZE + 2), [Copy()], networks)
    assert all(len(array.base) == BATCH_SIZE + 2 for values in found.values.values() for array in values.values())


def test_what_one_predictor_lacks_is_left_out_for_all(networks):
    found = scored(
        Noise(BATCH_SIZE + 4, broken=(0,)), [Copy("a", lacks=(2,)), Copy("b", lacks=(2, BATCH_SIZE + 1))], networks
    )
    assert found.indices == [i for i in range(BATCH_SIZE + 4) if i not in (0, 2, BATCH_SIZE + 1)]
    assert found.problems == ["0: broken", "2: no", "2: no", f"{BATCH_SIZE + 1}: no"]
    assert {len(array) for values in found.values.values() for array in values.values()} == {BATCH_SIZE + 1}


def test_a_batch_that_nobody_has_is_left_out(networks):
    assert scored(Noise(2 * BATCH_SIZE), [Copy(lacks=range(BATCH_SIZE))], networks).indices == list(
        range(BATCH_SIZE, 2 * BATCH_SIZE)
    )


def test_the_truth_is_measured_where_a_value_needs_no_truth(networks):
    found = scored(Noise(3), [Copy()], networks).per_picture()
    assert found[TRUTH].keys() == {"colorfulness", "colorfulness_ddcolor"}
    np.testing.assert_array_equal(found[TRUTH]["colorfulness"], found["copy"]["colorfulness"])


@pytest.mark.parametrize(("wrong", "stops"), [(3 * BATCH_SIZE // 2 + 1, True), (3 * BATCH_SIZE // 2, False)])
def test_names_are_said_to_be_shuffled_if_most_pictures_are_others(networks, wrong, stops):
    predictor = Copy(lacks=range(wrong), error=Mismatch)
    if stops:
        with pytest.raises(UserError, match=f"'copy': {wrong} or more of {3 * BATCH_SIZE} pictures are not what"):
            scored(Noise(3 * BATCH_SIZE), [predictor], networks)
    else:
        assert len(scored(Noise(3 * BATCH_SIZE), [predictor], networks).indices) == 3 * BATCH_SIZE - wrong


@pytest.mark.parametrize("lacks", [range(3), range(2)])
def test_fewer_than_two_pictures_are_not_evaluated(networks, lacks):
    with pytest.raises(UserError, match="an evaluation needs two or more; the first problem: 0: no"):
        scored(Noise(3), [Copy(lacks=lacks)], networks)


def test_progress_counts_all_pictures(networks):
    dataset, seen = Noise(BATCH_SIZE + 2), []
    statistics = color_statistics(dataset, SIZE)
    score(dataset, make_baselines(statistics.mean_ab), statistics, SIZE, networks, seen.append)
    assert seen == [BATCH_SIZE, BATCH_SIZE + 2]


def test_the_prior_is_a_distribution_of_what_can_be_read():
    statistics = color_statistics(Noise(4, broken=(1,)), SIZE)
    assert statistics.readable == [0, 2, 3] and statistics.problems == ["1: broken"]
    assert statistics.prior.shape == (529,) and statistics.prior.sum().item() == pytest.approx(1)
