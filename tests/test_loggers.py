"""What a run logs, read back from its files."""

import csv
import json
import math

import pytest
import torch
import wandb

from colorgan import train
from colorgan.training import loggers
from colorgan.training.loggers import PICTURES
from tests.conftest import TINY
from tests.interrupting import Died, die, is_new
from tests.reading import artifacts_of, files_of, finished, history_of, metrics_of, summary_of

BATCH, BATCHES, EPOCHS = 4, 2, 2
OFFLINE = [*(item for item in TINY if "wandb" not in item), "wandb.mode=offline", "trainer.log_every_n_steps=1"]
LOSS, TABLE = "train/color_loss_step", "val/pictures"


@pytest.fixture(scope="module", params=["adversarial", "supervised"])
def logged(request, tmp_path_factory):
    """A finished run: its directory, and the records of its file."""
    run = tmp_path_factory.mktemp(request.param)
    torch.set_num_threads(1)
    more = [f"trainer.max_epochs={EPOCHS}", f"system={request.param}", f"run_dir={run}", "wandb.log_model=best"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_DATA_DIR", str(run / "data"))  # where artifacts wait for their upload
        patch.setenv("WANDB_CACHE_DIR", str(run / "cache"))
        assert train.main(["experiments/gan.yaml", *OFFLINE, *more, "wandb.group=g", "wandb.job_type=j"]) == 0
    (file,) = files_of(run)
    return run, finished(file)


def records_of_run(records):
    """What W&B is told of the run itself."""
    return next(record.run for record in records if record.WhichOneof("record_type") == "run")


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


def test_best_and_last_checkpoint_are_artifacts(logged):
    run, records = logged
    found = {name: artifact for artifact in artifacts_of(records) for name in artifact.aliases}
    best, last = found["best"], found["last"]
    assert best.name == last.name == f"model-{records_of_run(records).run_id}" and best.type == "model"
    for name, artifact in (("best", best), ("last", last)):
        (entry,) = artifact.manifest.contents
        assert (entry.path, entry.size) == ("model.ckpt", (run / f"{name}.ckpt").stat().st_size)


def test_a_run_without_uploads_has_no_artifact_of_a_checkpoint(tiny_train, tmp_path):
    assert tiny_train(*OFFLINE, "wandb.log_model=none") == 0
    (file,) = files_of(tmp_path / "run")
    assert not [artifact for artifact in artifacts_of(finished(file)) if artifact.type == "model"]


def test_all_uploads_the_checkpoint_of_each_epoch(tiny_train, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "data"))
    assert tiny_train(*OFFLINE, "wandb.log_model=all", "trainer.max_epochs=3", "checkpoint.keep=1") == 0
    (file,) = files_of(tmp_path / "run")
    models = [set(artifact.aliases) for artifact in artifacts_of(finished(file)) if artifact.type == "model"]
    assert len(models) == 3 and all("last" in aliases for aliases in models) and "best" in models[0]


def test_a_table_has_the_pictures_with_their_errors(logged):
    run, _ = logged
    tables = sorted(run.glob("wandb/offline-run-*/files/media/table/val/pictures_*.table.json"))
    table = json.loads(tables[0].read_text())
    assert table["columns"] == ["picture", "gray", "prediction", "truth", "ab_error", "psnr", "epoch"]
    row = dict(zip(table["columns"], table["data"][0], strict=True))
    assert row["picture"] == "astronaut.png" and row["ab_error"] > 0 and row["psnr"] > 0


def test_tables_get_rare(tiny_train, tmp_path):
    assert tiny_train(*OFFLINE, "trainer.max_epochs=7", "trainer.limit_train_batches=1") == 0
    (file,) = files_of(tmp_path / "run")
    epochs = [row[PICTURES] // BATCH for row in history_of(finished(file)) if "val/pictures._type" in row]
    assert epochs == [1, 2, 4, 7]


def test_a_run_has_its_group_and_system_metrics(logged):
    run = records_of_run(logged[1])
    assert (run.run_group, run.job_type) == ("g", "j")
    assert any(record.WhichOneof("record_type") == "stats" for record in logged[1])


def test_a_divergence_alerts(tiny_train, at, monkeypatch):
    alerts = []
    monkeypatch.setattr("wandb.sdk.wandb_run.Run.alert", lambda self, **message: alerts.append(message))

    def ruin(system):
        next(system.model.net.parameters()).data.fill_(math.nan)

    at(0, 1, ruin)
    assert tiny_train(*OFFLINE, "guard.enabled=false") == 2
    assert [alert["title"] for alert in alerts] == ["diverged"] and "is nan" in alerts[0]["text"]
    assert wandb.run is None


@pytest.fixture
def events():
    """Reads the files of TensorBoard in a run directory."""
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

    def read(run):
        return accumulators.EventAccumulator(str(run / "tensorboard")).Reload()

    return read


def test_tensorboard_has_the_same_metrics_and_the_same_axis(logged, tiny_train, tmp_path, events):
    kind = "adversarial" if any("train/real_accuracy_step" in row for row in history_of(logged[1])) else "supervised"
    more = [f"system={kind}", "logger=tensorboard", f"trainer.max_epochs={EPOCHS}"]
    assert tiny_train(*OFFLINE, *more) == 0
    found = events(tmp_path / "run")
    numbers = {key for row in history_of(logged[1]) for key in row if not key.startswith(("_", "val/samples", TABLE))}
    assert set(found.Tags()["scalars"]) == numbers - {PICTURES}
    assert [event.step for event in found.Scalars(LOSS)] == [4, 8, 12, 16]
    assert [event.step for event in found.Images("val/samples")] == [8, 16]
    assert not (tmp_path / "run/wandb").exists()


def test_tensorboard_hides_what_a_killed_run_logged_after_its_checkpoint(tiny_train, tmp_path, at, events):
    settings = [*OFFLINE, "logger=tensorboard", "trainer.limit_train_batches=4", "checkpoint.every_batches=2"]
    at(0, 3, die, is_new)
    with pytest.raises(Died):
        tiny_train(*settings)
    assert tiny_train(*settings, "--resume") == 0
    assert [event.step for event in events(tmp_path / "run").Scalars(LOSS)] == [4, 8, 12, 16]


def test_tensorboard_that_is_not_installed_is_one_line(tiny_train, monkeypatch, capsys):
    monkeypatch.setattr(loggers, "find_spec", lambda name: None)
    assert tiny_train("logger=tensorboard") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "error: logger=tensorboard: not installed: pip install 'colorgan[tensorboard]'"


def test_no_logger_leaves_nothing(tiny_train, tmp_path):
    assert tiny_train(*OFFLINE, "logger=none") == 0
    assert not (tmp_path / "run/wandb").exists()
