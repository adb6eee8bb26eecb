import json
import shutil
from pathlib import Path

import pytest
import torch

from colorgan.colorizer import checkpoint
from colorgan.comparison import runs as comparison
from colorgan.comparison.budgets import Plan, parse_budget
from colorgan.comparison.runs import Run, make_runs, plan_all, plan_run, speed_warning, train
from colorgan.errors import UserError
from colorgan.training.history import write_rows
from tests.comparing import GAN, SMALL, UNET, Trainings


@pytest.fixture
def trainings(monkeypatch):
    return Trainings(monkeypatch)


@pytest.fixture
def gan(tmp_path):
    """Makes the run of experiments/gan.yaml with more settings: gan(*settings)."""
    return lambda *settings: make_runs([GAN, *SMALL, *settings], 1, tmp_path)[0]


def plan_files(folder):
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


def test_a_setting_is_for_all_and_one_with_a_name_for_that_experiment_alone(tmp_path):
    one, other = make_runs([GAN, UNET, *SMALL, "optim.lr=0.5", "gan:optim.lr=0.25"], 1, tmp_path)
    assert (one.experiment.optim.lr, other.experiment.optim.lr) == (0.25, 0.5)


def test_one_file_under_two_names_is_two_experiments(tmp_path):
    made = make_runs([f"mae:{GAN}", f"mse:{GAN}", *SMALL, "mse:codec.loss=mse"], 1, tmp_path)
    assert [(run.name, run.experiment.name, run.experiment.codec.loss, run.run_dir.name) for run in made] == [
        ("mae", "mae", "l1", "mae"),
        ("mse", "mse", "mse", "mse"),
    ]


def test_two_experiments_of_one_file_have_their_own_speeds(trainings, monkeypatch, tmp_path):
    speeds = iter([40.0, 80.0])
    monkeypatch.setattr(comparison, "_measure_speed", lambda run: next(speeds))
    made = make_runs([f"one:{GAN}", f"two:{GAN}", *SMALL], 1, tmp_path)
    assert [plan.pictures_per_second for plan in plan_all(made, parse_budget("3s")).values()] == [40.0, 80.0]


def test_a_value_may_hold_a_colon_and_an_equals_sign(tmp_path):
    one, _ = make_runs([GAN, UNET, *SMALL, "data.root=a:b=c"], 1, tmp_path)
    assert one.experiment.data.root == "a:b=c"


def test_runs_have_one_seed_and_folders_of_their_own(tmp_path):
    made = make_runs([GAN, UNET, *SMALL, "seed=7"], 1, tmp_path)
    assert [(run.name, run.experiment.seed, run.run_dir) for run in made] == [
        ("gan", 7, tmp_path / "gan"),
        ("unet-regression", 7, tmp_path / "unet-regression"),
    ]


def test_seeds_count_up_from_that_of_the_experiment(tmp_path):
    made = make_runs([GAN, *SMALL, "seed=7"], 2, tmp_path)
    assert [(run.name, run.experiment.seed, run.run_dir.name) for run in made] == [
        *(("gan seed 7", 7, "gan-seed-7"), ("gan seed 8", 8, "gan-seed-8"))
    ]


@pytest.mark.parametrize("key", ["root", "crops"])
def test_settings_that_choose_the_pictures_must_be_those_of_all(tmp_path, key):
    with pytest.raises(
        UserError, match=rf"unet-regression has data\.{key}=.*: give data\.{key}=\.\.\. for all of them"
    ):
        make_runs([GAN, UNET, *SMALL, f"gan:data.{key}=8"], 1, tmp_path)


@pytest.mark.parametrize("name", ["gray", "mean color", "truth"])
def test_no_experiment_is_called_as_a_row_of_every_table(tmp_path, name):
    file = tmp_path / "mine.yaml"
    file.write_text(f"name: {name}\n")
    with pytest.raises(UserError, match=f"'{name}': every table has a row of this name"):
        make_runs([str(file)], 1, tmp_path)


def test_runs_are_grouped_by_experiment_with_the_seed_as_type_of_job(tmp_path):
    made = make_runs([GAN, UNET, *SMALL, "gan:seed=3"], 2, tmp_path, project="mine")
    found = [(run.experiment.wandb.group, run.experiment.wandb.job_type) for run in made]
    assert found == [("gan", "seed-3"), ("gan", "seed-4"), ("unet-regression", "seed-0"), ("unet-regression", "seed-1")]
    assert {run.experiment.wandb.project for run in made} == {"mine"}


def test_where_a_run_is_logged_is_no_other_run(gan, trainings):
    plan = plan_run(gan(), parse_budget("40"))
    hold_a_run(gan())
    assert plan_run(gan("wandb.project=other", "logger=none"), parse_budget("40")) == plan


def test_pictures_are_planned_without_a_probe(gan, trainings):
    assert plan_run(gan(), parse_budget("120")) == Plan(None, 10, 3)
    assert not trainings.calls


def test_a_set_smaller_than_a_batch_is_counted_as_it_is(gan, trainings):
    run = gan("data.crops=3", "data.batch_size=16")
    assert run.batch == 3
    assert plan_run(run, parse_budget("60")) == Plan(None, 20, 1)


def test_a_time_is_planned_by_a_probe_that_leaves_the_plan_alone(gan, trainings, monkeypatch, tmp_path):
    monkeypatch.setattr(comparison, "PROBE_SECONDS", 1)
    plan = plan_run(gan(), parse_budget("100s"))
    (call,) = trainings.calls
    assert "trainer.max_time=00:00:00:01" in call
    spent = plan.epochs * plan.batches * 4
    assert 0.95 * (100 * plan.pictures_per_second - 4) <= spent <= 100 * plan.pictures_per_second
    assert plan_files(tmp_path) == ["gan/plan.json"]


def test_a_probe_that_fails_ends_all_and_leaves_nothing(gan, trainings, tmp_path):
    trainings.failing = ("gan",)
    with pytest.raises(UserError, match="gan: cannot be trained, see above; correct the experiment, or leave it out"):
        plan_run(gan(), parse_budget("1m"))
    assert not plan_files(tmp_path)


def test_a_plan_is_made_once(gan, trainings, monkeypatch):
    monkeypatch.setattr(comparison, "_measure_speed", lambda run: 40.0)
    first = plan_run(gan(), parse_budget("3s"))
    monkeypatch.setattr(comparison, "_measure_speed", lambda run: 80.0)
    assert plan_run(gan(), parse_budget("3s")) == first == Plan(40.0, 10, 3)


def test_the_seeds_of_an_experiment_train_on_as_many_pictures(trainings, monkeypatch, tmp_path):
    speeds = iter([40.0, 80.0])
    monkeypatch.setattr(comparison, "_measure_speed", lambda run: next(speeds))
    made = make_runs([GAN, *SMALL], 2, tmp_path)
    assert list(plan_all(made, parse_budget("3s")).values()) == 2 * [Plan(40.0, 10, 3)]


def test_a_plan_that_nothing_was_trained_by_is_made_anew(gan, trainings):
    plan_run(gan(), parse_budget("40"))
    assert plan_run(gan("optim.lr=0.5"), parse_budget("80")) == Plan(None, 10, 2)


def hold_a_run(run):
    run.run_dir.mkdir(exist_ok=True)
    write_rows(run.run_dir / "metrics.csv", [{"epoch": 0}])


@pytest.mark.parametrize(
    ("settings", "budget", "said"),
    [
        ([], "80", "made with budget=40, not 80"),
        (["optim.lr=0.5"], "40", "made with optim.lr=0.0002, not 0.5"),
        (["seed=1"], "40", "made with seed=0, not 1"),
    ],
)
def test_a_run_is_not_taken_for_one_of_another_budget_or_setting(gan, settings, budget, said):
    plan_run(gan(), parse_budget("40"))
    hold_a_run(gan())
    with pytest.raises(UserError, match=rf"gan: {said}; name another --out"):
        plan_run(gan(*settings), parse_budget(budget))


def test_a_run_is_not_taken_for_one_of_a_file_that_was_edited_since(tmp_path):
    file = tmp_path / "mine.yaml"
    for rate in (0.5, 0.25):
        file.write_text(f"optim: {{lr: {rate}}}\n")
        (run,) = make_runs([str(file), *SMALL], 1, tmp_path)
        if rate == 0.5:
            plan_run(run, parse_budget("40"))
            hold_a_run(run)
    with pytest.raises(UserError, match=r"made with optim.lr=0.5, not 0.25"):
        plan_run(run, parse_budget("40"))


def test_a_run_that_was_not_planned_is_left_alone(gan):
    hold_a_run(gan())
    with pytest.raises(UserError, match="gan: contains a run without a plan; name another --out"):
        plan_run(gan(), parse_budget("40"))


def test_a_plan_of_an_older_version_without_some_keys_holds(gan):
    run = gan()
    plan = plan_run(run, parse_budget("40"))
    (run.run_dir / "plan.json").write_text(json.dumps({"budget": "40", "plan": vars(plan)}))
    hold_a_run(run)
    assert plan_run(run, parse_budget("40")) == plan


def test_a_schedule_ends_exactly_with_the_budget(gan, trainings):
    run = gan("optim.schedule=cosine")
    plan = plan_run(run, parse_budget("8"))
    assert train(run, plan)
    assert run.is_complete(plan)
    content = checkpoint.read(run.run_dir / "last.ckpt")
    assert content["global_step"] == 2 * 2  # generator and discriminator
    assert [state["param_groups"][0]["lr"] for state in content["optimizer_states"]] == pytest.approx([0, 0])


def test_a_killed_run_comes_to_where_the_unbroken_one_came(gan, trainings):
    run = gan("optim.schedule=cosine")
    plan = plan_run(run, parse_budget("8"))
    train(run, plan)
    unbroken = checkpoint.read(run.run_dir / "epoch=001.ckpt")["state_dict"]
    (run.run_dir / "epoch=001.ckpt").unlink()
    shutil.copy(run.run_dir / "epoch=000.ckpt", run.run_dir / "last.ckpt")
    assert not run.is_complete(plan)
    assert train(run, plan)
    assert run.is_complete(plan)
    broken = checkpoint.read(run.run_dir / "last.ckpt")["state_dict"]
    assert all(torch.equal(value, broken[key]) for key, value in unbroken.items())


def test_a_run_that_goes_on_keeps_the_rate_that_a_plateau_lowered(gan, trainings):
    run = gan("optim.lr=0.5")
    run.run_dir.mkdir()
    torch.save({"experiment": {}, "state_dict": {}, "epoch": 0}, run.run_dir / "last.ckpt")
    train(run, Plan(None, 3, 2))
    assert trainings.calls[0][2:] == [f"run_dir={run.run_dir}", *Plan(None, 3, 2).overrides()]


@pytest.mark.parametrize(
    ("planned", "trained", "noted"), [(None, 1, False), (10, 11, False), (10, 5, False), (10, 20, True)]
)
def test_a_run_much_faster_than_its_measurement_is_noted(tmp_path, planned, trained, noted):
    write_rows(tmp_path / "metrics.csv", [{"epoch": 0, "train/images_per_second": trained}])
    run = Run("gan", GAN, (), tmp_path, None)
    assert bool(speed_warning(run, Plan(planned, 1, 1))) == noted


def test_without_a_measured_speed_there_is_nothing_to_note():
    assert speed_warning(Run("gan", GAN, (), Path("nowhere"), None), Plan(None, 1, 1)) is None
