import pytest

from colorgan.comparison.budgets import Budget, Plan, make_plan, measured_speed, parse_budget
from colorgan.errors import UserError
from colorgan.training.history import write_rows


def plan(total, epoch=10**6, batch=1):
    return make_plan(Budget(str(total), pictures=total), None, batch, epoch)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("1.5h", 5400), ("2d", 172_800), ("0.5s", 0.5)]
)
def test_a_time_is_seconds(text, seconds):
    assert parse_budget(text) == Budget(text, seconds=seconds)


@pytest.mark.parametrize(
    ("text", "pictures"), [("20000", 20_000), ("20k", 20_000), ("1M", 1_000_000), ("1.5k", 1_500), ("7", 7)]
)
def test_a_number_is_pictures(text, pictures):
    assert parse_budget(text) == Budget(text, pictures=pictures)


@pytest.mark.parametrize("text", ["", "0", "0s", "0.0k", "10 m", "10min", "-5m", "m", "k", "1e3", "10K", "inf", "nan"])
def test_another_text_is_refused_with_examples(text):
    with pytest.raises(UserError, match=r"a time as in 90s, 10m or 1\.5h, or a number of pictures as in 20k or 1M"):
        parse_budget(text)


def test_pictures_are_spent_in_full_batches():
    assert plan(1000, batch=16) == Plan(None, 10, 6)


def test_a_time_is_spent_at_the_measured_speed():
    assert make_plan(parse_budget("1m"), 20.0, 4, 10**6) == Plan(20.0, 10, 30)


def test_an_epoch_is_no_longer_than_one_pass():
    assert plan(1000, epoch=20) == Plan(None, 50, 20)


def test_fewer_batches_than_epochs_are_an_epoch_each():
    assert plan(3) == Plan(None, 3, 1)


@pytest.mark.parametrize("epoch", [1, 7, 1000])
def test_nearly_all_of_any_budget_is_spent_and_never_more(epoch):
    for total in range(1, 400):
        made = plan(total, epoch)
        assert 0.95 * total <= made.epochs * made.batches <= total


@pytest.mark.parametrize("epoch", [1, 7, 1000])
def test_no_plan_asks_for_more_batches_than_an_epoch_has(epoch):
    assert all(plan(total, epoch).batches <= epoch for total in range(1, 400))


@pytest.mark.parametrize(("budget", "speed"), [("15", None), ("1s", 15.0)])
def test_less_than_one_batch_is_refused(budget, speed):
    with pytest.raises(UserError, match=f"--budget {budget}: not one batch of 16 pictures; allow more"):
        make_plan(parse_budget(budget), speed, 16, 100)


def test_a_plan_as_settings_ends_by_epochs_alone():
    assert Plan(None, 10, 3).overrides() == [
        *("trainer.max_epochs=10", "trainer.limit_train_batches=3", "trainer.max_time=null")
    ]


@pytest.mark.parametrize(
    ("speeds", "measured"), [([5], 5), ([5, 8], 8), ([9, 2], 9), ([1, 8, 2], 8), ([1, 8, 10, 2], 9)]
)
def test_the_first_epoch_and_the_cut_one_count_only_where_there_is_no_other(tmp_path, speeds, measured):
    rows = [{"epoch": i, "train/images_per_second": speed} for i, speed in enumerate(speeds)]
    write_rows(tmp_path / "metrics.csv", rows)
    assert measured_speed(tmp_path) == measured
