import csv

import pytest
import torch
from omegaconf import OmegaConf

from colorgan import load, train
from colorgan.colorizer import checkpoint
from colorgan.errors import UserError
from tests.conftest import TINY


def rates(path):
    return [state["param_groups"][0]["lr"] for state in checkpoint.read(path)["optimizer_states"]]


def epochs(run):
    with (run / "metrics.csv").open() as file:
        return [int(row["epoch"]) for row in csv.DictReader(file)]


def test_a_run_leaves_everything_behind(tiny_train, tmp_path, capsys):
    assert tiny_train("trainer.max_epochs=2") == 0
    run = tmp_path / "run"
    left = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()} - {".lock"}
    assert left == {
        *(
            "run.json",
            "experiment.yaml",
            "metrics.csv",
            "curves.png",
            "last.ckpt",
            "best.ckpt",
            "epoch=000.ckpt",
            "epoch=001.ckpt",
        ),
        *("samples/epoch=000.png", "samples/epoch=001.png"),
    }
    assert str(run) in capsys.readouterr().out.splitlines()[-1]


def test_rolling_checkpoints_keep_the_last_and_every_nth(tiny_train, tmp_path):
    tiny_train("trainer.max_epochs=5", "checkpoint.keep=1", "checkpoint.keep_every=2")
    assert sorted(path.name for path in (tmp_path / "run").glob("epoch=*.ckpt")) == [
        *("epoch=001.ckpt", "epoch=003.ckpt", "epoch=004.ckpt")
    ]


def test_metrics_have_losses_accuracies_rates_norms_and_speed(tiny_train, tmp_path):
    tiny_train()
    with (tmp_path / "run/metrics.csv").open() as file:
        row = next(csv.DictReader(file))
    named = (
        "discriminator_loss generator_loss adversarial_loss color_loss real_accuracy fake_accuracy images_per_second"
    )
    named += " generator_lr discriminator_lr generator_gradient_norm discriminator_gradient_norm"
    assert {f"train/{name}" for name in named.split()} <= row.keys()
    assert 0 < float(row["val/color_distance"]) < 1
    assert {"val/ab_error", "val/psnr", "val/colorfulness", "val/gray_ab_error", "val/gray_psnr"} <= row.keys()
    assert all(float(value) == float(value) for value in row.values())


def test_a_run_is_never_overwritten(tiny_train, tmp_path, capsys):
    tiny_train()
    before = (tmp_path / "run/last.ckpt").read_bytes()
    assert tiny_train() == 2
    assert "--resume" in capsys.readouterr().err
    assert (tmp_path / "run/last.ckpt").read_bytes() == before


def test_resume_with_no_run_starts_one(tiny_train, tmp_path):
    assert tiny_train("--resume") == 0
    assert epochs(tmp_path / "run") == [0]


@pytest.mark.parametrize("more", [[], ["--resume"]])
def test_a_run_that_failed_before_its_first_epoch_does_not_block_the_next(tiny_train, folder, more):
    assert tiny_train("data=folder", "data.root=nowhere") == 2
    assert tiny_train("data=folder", f"data.root={folder}", "data.near_gray=0", *more) == 0


def test_a_complete_run_says_so(tiny_train, capsys):
    tiny_train()
    assert tiny_train("--resume") == 0
    assert "is complete: all 1 epochs are trained; trainer.max_epochs=2 continues it" in capsys.readouterr().out


def test_a_run_whose_time_is_used_up_says_so(tiny_train, capsys):
    tiny_train("trainer.max_epochs=1000", "trainer.max_time=00:00:00:01")
    assert tiny_train("trainer.max_epochs=1000", "trainer.max_time=00:00:00:01", "--resume") == 0
    assert "trainer.max_time=00:00:00:01 is used up" in capsys.readouterr().out


def test_resume_goes_on_and_keeps_old_rows(tiny_train, tmp_path):
    tiny_train()
    assert tiny_train("--resume", "trainer.max_epochs=3") == 0
    assert epochs(tmp_path / "run") == [0, 1, 2]


@pytest.mark.parametrize("schedule", ["constant", "step", "exponential", "linear", "cosine", "plateau"])
def test_a_resumed_run_is_the_unbroken_one(tiny_train, tmp_path, schedule):
    more = (f"optim.schedule={schedule}", "optim.every=2", "optim.patience=0")
    more += ("net.dropout=0.5", "trainer.max_epochs=3")
    assert tiny_train(*more, f"run_dir={tmp_path}/whole") == 0
    assert tiny_train(*more, f"run_dir={tmp_path}/broken") == 0
    (tmp_path / "broken/epoch=002.ckpt").unlink()  # as after a kill in the last epoch
    assert tiny_train(*more, f"run_dir={tmp_path}/broken", "--resume") == 0
    whole, broken = (checkpoint.read(tmp_path / name / "epoch=002.ckpt") for name in ("whole", "broken"))
    assert all(torch.equal(value, broken["state_dict"][key]) for key, value in whole["state_dict"].items())
    assert rates(tmp_path / "whole/epoch=002.ckpt") == rates(tmp_path / "broken/epoch=002.ckpt")


def test_a_run_that_diverges_ends_before_it_saves(tiny_train, tmp_path, capsys):
    tiny_train()
    before = {path: path.read_bytes() for path in (tmp_path / "run").glob("*.ckpt")}
    assert tiny_train("--resume", "trainer.max_epochs=3", "optim.lr=1e30", "guard.enabled=false") == 2
    error = capsys.readouterr().err
    assert "epoch 1: val/" in error
    assert "nan, the run has diverged" in error
    assert error.count("\n") == 1
    assert {path: path.read_bytes() for path in (tmp_path / "run").glob("*.ckpt")} == before


def test_going_back_sets_later_things_aside_and_a_lower_rate_wins(tiny_train, tmp_path):
    run = tmp_path / "run"
    tiny_train("trainer.max_epochs=3")
    assert tiny_train("trainer.max_epochs=3", "--from", str(run / "epoch=000.ckpt"), "optim.lr=1e-5") == 0
    (aside,) = run.glob("aside-*")
    assert {path.name for path in aside.glob("epoch=*")} == {"epoch=001.ckpt", "epoch=002.ckpt"}
    assert epochs(aside) == epochs(run) == [0, 1, 2]
    assert rates(run / "epoch=000.ckpt") == [2e-4, 2e-4]
    assert rates(run / "epoch=002.ckpt") == [1e-5, 1e-5]


def test_a_resumed_run_keeps_the_best_epoch(tiny_train, tmp_path, monkeypatch):
    tiny_train()
    monkeypatch.setattr("colorgan.systems.colorization.ab_error", lambda ab, truth: torch.full((len(ab),), 1e6))
    assert tiny_train("--resume", "trainer.max_epochs=2") == 0
    assert checkpoint.read(tmp_path / "run/best.ckpt")["epoch"] == 0


def test_a_rate_beside_resume_wins_under_every_schedule(tiny_train, tmp_path):
    run = tmp_path / "run"
    tiny_train("optim.schedule=exponential", "optim.every=2", "optim.factor=0.5")
    tiny_train("--resume", "trainer.max_epochs=2", "optim.lr=1e-5", "system.discriminator_lr=0.5")
    assert rates(run / "epoch=001.ckpt") == pytest.approx([1e-5 / 4, 0.5e-5 / 4])


def test_betas_beside_resume_win(tiny_train, tmp_path):
    tiny_train()
    tiny_train("--resume", "trainer.max_epochs=2", "optim.betas=[0.1,0.9]")
    states = checkpoint.read(tmp_path / "run/epoch=001.ckpt")["optimizer_states"]
    assert [tuple(state["param_groups"][0]["betas"]) for state in states] == [(0.1, 0.9), (0.1, 0.9)]


def test_a_schedule_can_change_beside_resume(tiny_train, tmp_path):
    tiny_train("optim.schedule=exponential", "optim.every=2")
    assert tiny_train("--resume", "trainer.max_epochs=2", "optim.schedule=plateau") == 0
    assert rates(tmp_path / "run/epoch=001.ckpt") == pytest.approx([2e-5, 2e-5])  # goes on from where the old one was


def test_plateau_lowers_both_rates(tiny_train, tmp_path, monkeypatch):
    monkeypatch.setattr("colorgan.systems.colorization.ab_error", lambda ab, truth: torch.ones(len(ab)))
    tiny_train("optim.schedule=plateau", "optim.patience=0", "trainer.max_epochs=2")
    assert rates(tmp_path / "run/epoch=001.ckpt") == pytest.approx([2e-5, 2e-5])


@pytest.mark.parametrize(
    "change", ["net.norm=instance", "codec.loss=mse", "system=supervised", "discriminator.norm=none"]
)
def test_another_net_codec_or_system_is_refused(tiny_train, capsys, change):
    tiny_train()
    assert tiny_train("--resume", "trainer.max_epochs=2", change) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "trained with another value" in line


def test_a_checkpoint_holds_plain_data_only(tiny_train, tmp_path):
    tiny_train()
    stored = torch.load(tmp_path / "run/last.ckpt", weights_only=True)["experiment"]
    assert stored["net"] == {"name": "unet", "size": 32, "width": 4, "norm": "batch", "dropout": 0.0}
    assert OmegaConf.to_container(OmegaConf.load(tmp_path / "run/experiment.yaml")) == stored


def test_a_checkpoint_alone_colors(tiny_train, tmp_path):
    tiny_train()
    picture = load(tmp_path / "run/last.ckpt").colorize(torch.rand(1, 50, 70))
    assert picture.shape == (3, 50, 70)


def test_dry_run_prints_the_resolved_experiment_and_trains_nothing(tiny_train, tmp_path, capsys):
    assert tiny_train("--dry-run", "optim.lr=0.5") == 0
    assert OmegaConf.create(capsys.readouterr().out).optim.lr == 0.5
    assert not (tmp_path / "run").exists()


def test_options_and_overrides_come_in_any_order(tmp_path, capsys):
    assert train.main(["seed=3", "--dry-run", "experiments/gan.yaml", *TINY]) == 2
    assert train.main(["--dry-run", "experiments/gan.yaml", "seed=3", "--resume", *TINY, f"run_dir={tmp_path}/x"]) == 0
    assert "seed: 3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["experiments/nothing.yaml"], "experiments/nothing.yaml: no such experiment file"),
        (["experiments/gan.yaml", "net.widht=3"], "net.widht=3: unknown key 'widht' for 'unet'; did you mean 'width'?"),
        (["experiments/gan.yaml", "net.width=wide"], "net.width=wide: Value 'wide'"),
        (["experiments/gan.yaml", "--from", "nothing.ckpt"], "nothing.ckpt: no such checkpoint"),
        (["experiments/gan.yaml", "--from", "README.md"], "README.md: not a checkpoint"),
        (["experiments/gan.yaml", "system.loss=hinge"], "adversarial: the hinge loss has no labels to smooth"),
        (["experiments/gan.yaml", "trainer.limit_val_batches=0"], "trainer.limit_val_batches=0"),
        (["experiments/gan-folder.yaml", "data.root=nowhere"], "nowhere"),
        (["experiments/gan.yaml", *TINY, "optim.lr=-1"], "optim: Invalid learning rate: -1"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, said, tmp_path, capsys):
    assert train.main([*arguments, f"run_dir={tmp_path / 'run'}", "wandb.mode=disabled"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


@pytest.mark.slow
def test_the_run_of_train_gan_learns_its_photographs(tmp_path):
    assert train.main(["experiments/gan.yaml", f"run_dir={tmp_path}", "wandb.mode=disabled"]) == 0
    with (tmp_path / "metrics.csv").open() as file:
        last = list(csv.DictReader(file))[-1]
    assert float(last["val/ab_error"]) < float(last["val/gray_ab_error"]) / 3


def test_a_checkpoint_that_asks_for_this_machines_values_is_refused(tiny_train, tmp_path):
    tiny_train()
    file = tmp_path / "run/last.ckpt"
    content = torch.load(file, weights_only=True)
    content["experiment"]["name"] = "${oc.env:HOME}"
    torch.save(content, file)
    with pytest.raises(UserError, match="was not written by colorgan"):
        load(file)
