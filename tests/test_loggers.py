"""What a run logs, read back from its files."""

import csv

import pytest
import torch
import wandb

from colorgan import train
from colorgan.training.loggers import PICTURES
from tests.conftest import TINY
from tests.interrupting import Died, die, is_new
from tests.reading import files_of, finished, history_of, metrics_of, summary_of

BATCH, BATCHES, EPOCHS = 4, 2, 2
OFFLINE = [*(item for item in TINY if "wandb" not in item), "wandb.mode=offline", "trainer.log_every_n_steps=1"]
LOSS = "train/color_loss_step"


@pytest.fixture(scope="module", params=["adversarial", "supervised"])
def logged(request, tmp_path_factory):
    """A finished run: its directory, and the records of its file."""
    run = tmp_path_factory.mktemp(request.param)
    torch.set_num_threads(1)
    more = [f"trainer.max_epochs={EPOCHS}", f"system={request.param}", f"run_dir={run}"]
    assert train.main(["experiments/gan.yaml", *OFFLINE, *more]) == 0
    (file,) = files_of(run)
    return run, finished(file)


def losses_of(run):
    """(pictures, loss) of each logged step, over all sessions."""
    rows = [row for file in files_of(run) for row in history_of(finished(file))]
    return [(row[PICTURES], row[LOSS]) for row in rows if LOSS in row]


def test_every_row_is_logged_at_the_pictures_seen_whatever_the_system(logged):
    rows = history_of(logged[1])
    assert [row[PICTURES] for row in rows if LOSS in row] == [BATCH * i for i in range(1, BATCHES * EPOCHS + 1)]
    assert [row[PICTURES] for row in rows if "val/psnr" in row] == [BATCH * BATCHES, 2 * BATCH * BATCHES]
    assert all(PICTURES in row for row in rows)


def test_pictures_are_the_axis_and_the_summary_has_the_best(logged):
    run, records = logged
    metrics = metrics_of(records)
    assert metrics["*"].step_metric == metrics["val/psnr"].step_metric == PICTURES
    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    summary = summary_of(records)
    for name, mode, best in (
        ("val/ab_error", "min", min),
        ("val/color_distance", "min", min),
        ("val/psnr", "max", max),
    ):
        assert summary[name] == {mode: pytest.approx(best(float(row[name]) for row in rows), rel=1e-6)}


def test_the_table_of_epochs_has_the_pictures_too(logged):
    with (logged[0] / "metrics.csv").open() as file:
        assert [int(row[PICTURES]) for row in csv.DictReader(file)] == [8, 16]


@pytest.mark.parametrize("is_counted", [True, False], ids=["counted", "of-an-older-version"])
def test_a_killed_run_goes_on_counting_and_logs_nothing_twice(tiny_train, tmp_path, at, is_counted):
    settings = [*OFFLINE, "trainer.limit_train_batches=4", "checkpoint.every_batches=2"]
    assert tiny_train(*settings, f"run_dir={tmp_path / 'whole'}") == 0
    at(0, 3, die, is_new)
    with pytest.raises(Died):
        tiny_train(*settings)
    wandb.finish(exit_code=1)  # a process that is killed leaves no run open
    run = tmp_path / "run"
    if not is_counted:
        (path,) = run.glob("epoch=*.ckpt")
        content = torch.load(path)
        del content[PICTURES]
        torch.save(content, path)
    assert tiny_train(*settings, "--resume") == 0
    assert len(files_of(run)) == 2
    assert losses_of(run) == losses_of(tmp_path / "whole") and len(losses_of(run)) == 4
