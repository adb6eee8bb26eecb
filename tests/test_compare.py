import csv
import json
import re
import shlex
import shutil

import pytest

from colorgan import compare
from colorgan.colorizer import checkpoint
from tests.comparing import GAN, SMALL, UNET, Trainings

WITHOUT = ("--skip", "lpips", "--skip", "fid", "--device", "cpu")
WRITTEN = {"table.md", "results.json", "results.csv", "curves.png", "index.html"}


@pytest.fixture
def trainings(monkeypatch):
    return Trainings(monkeypatch)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A folder with two experiments compared on eight pictures, two batches; tests work on copies."""
    out = tmp_path_factory.mktemp("done") / "compared"
    with pytest.MonkeyPatch.context() as monkeypatch:
        trainings = Trainings(monkeypatch)
        assert compare.main([GAN, UNET, *SMALL, "--budget", "8", "--out", str(out), *WITHOUT]) == 0
        assert len(trainings.calls) == 2
    return out


@pytest.fixture
def out(done, tmp_path):
    """A copy of the compared folder."""
    return shutil.copytree(done, tmp_path / "out")


def again(out, *more):
    return compare.main([GAN, UNET, *SMALL, "--budget", "8", "--out", str(out), *WITHOUT, *more])


def epochs(run_dir):
    with (run_dir / "metrics.csv").open() as file:
        return [int(row["epoch"]) for row in csv.DictReader(file)]


def error(capsys):
    """The one line that was said."""
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    return line


def test_a_comparison_leaves_results_and_runs_behind(done):
    assert {path.name for path in done.iterdir()} == WRITTEN | {"gan", "unet-regression"}


def test_every_experiment_spends_the_budget(done):
    assert [epochs(done / name) for name in ("gan", "unet-regression")] == [[0, 1], [0, 1]]


def test_all_train_with_one_seed_on_the_same_pictures(done):
    one, other = (checkpoint.read(done / name / "last.ckpt")["experiment"] for name in ("gan", "unet-regression"))
    assert one["seed"] == other["seed"]
    assert all(one["data"][key] == other["data"][key] for key in ("name", "root", "crops", "batch_size"))


def test_the_table_has_floors_systems_and_truth_with_the_pictures_they_saw(done):
    lines = [line for line in (done / "table.md").read_text().splitlines() if line.startswith("| ")]
    rows = [tuple(cell.strip() for cell in line.split("|")[1:3]) for line in lines]
    assert rows[1:] == [("gray", ""), ("mean color", ""), ("gan", "8"), ("unet-regression", "8"), ("truth", "")]


def test_the_command_below_the_table_can_be_pasted(out, trainings):
    out = out.rename(out.with_name("my folder"))
    assert again(out) == 0
    (command,) = re.findall(r"^python .*", (out / "table.md").read_text(), re.M)
    arguments = [GAN, UNET, *SMALL, "--budget", "8", "--out", str(out), *WITHOUT]
    assert shlex.split(command) == ["python", "-m", "colorgan.compare", *arguments]


def test_a_command_of_the_terminal_is_read_from_there(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["compare.py", "nothing.yaml", "--budget", "8"])
    assert compare.main() == 2
    assert "nothing.yaml: no such experiment file" in error(capsys)


def test_results_are_those_of_the_evaluator_on_the_validation_pictures(done):
    results = json.loads((done / "results.json").read_text())
    assert list(results["systems"]) == ["gray", "mean color", "gan", "unet-regression"]
    assert (results["data"]["pictures"], results["data"]["size"]) == (15, 32)
    with (done / "results.csv").open() as file:
        assert [row["system"] for row in csv.DictReader(file)] == list(results["systems"])


def test_what_is_done_is_not_trained_again_and_the_results_are_rewritten(out, trainings):
    before = json.loads((out / "results.json").read_text())
    for name in WRITTEN:
        (out / name).unlink()
    assert again(out) == 0
    assert not trainings.calls
    assert all((out / name).is_file() for name in WRITTEN)
    assert json.loads((out / "results.json").read_text()) == before


def test_a_killed_run_alone_goes_on(out, trainings):
    (out / "gan/epoch=001.ckpt").unlink()
    trainings.failing = ("gan.yaml",)  # here it is enough that it was tried
    assert again(out) == 1
    assert [(call[0], call[1]) for call in trainings.calls] == [(GAN, "--resume")]


def test_a_run_killed_between_its_last_two_checkpoints_is_judged_by_the_newer(out, trainings):
    before = json.loads((out / "results.json").read_text())["systems"]
    shutil.copy(out / "gan/epoch=000.ckpt", out / "gan/last.ckpt")
    assert again(out) == 0
    assert json.loads((out / "results.json").read_text())["systems"] == before


def test_a_failed_run_costs_that_run_alone(out, trainings, capsys):
    shutil.rmtree(out / "gan")
    trainings.failing = ("gan.yaml",)
    assert again(out) == 1
    assert "gan: training failed, see above; continuing with the others" in capsys.readouterr().err
    assert list(json.loads((out / "results.json").read_text())["systems"]) == ["gray", "mean color", "unet-regression"]
    assert all("gan: training failed: not evaluated" in (out / name).read_text() for name in ("table.md", "index.html"))


def test_seeds_are_runs_of_their_own_and_one_row(tmp_path, trainings):
    assert compare.main([UNET, *SMALL, "--budget", "4", "--seeds", "2", "--out", str(tmp_path), *WITHOUT]) == 0
    assert [next(item for item in call if item.startswith("seed=")) for call in trainings.calls] == ["seed=0", "seed=1"]
    assert re.search(
        r"^\| unet-regression, 2 seeds \| 4 \| [\d.]+ ± [\d.]+ \|", (tmp_path / "table.md").read_text(), re.M
    )


def test_an_interrupted_comparison_says_how_to_go_on(tmp_path, monkeypatch, capsys):
    def interrupt(run, plan):
        raise KeyboardInterrupt

    monkeypatch.setattr("colorgan.comparison.runs.train", interrupt)
    assert compare.main([GAN, *SMALL, "--budget", "8", "--out", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "interrupted; the same command continues from there\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--budget", "8", "seed=1"], "no experiment: give files, as in experiments/gan-folder.yaml"),
        (["--budget", "8"], "the following arguments are required"),
        ([GAN], "the following arguments are required: --budget"),
        ([GAN, "--budget", "soon"], "--budget soon: a time as in 90s, 10m or 1.5h, or a number of pictures"),
        ([GAN, *SMALL, "--budget", "3"], "--budget 3: not one batch of 4 pictures; allow more"),
        ([GAN, GAN, "--budget", "8"], "'gan': two experiments have this name"),
        (["nothing.yaml", "--budget", "8"], "nothing.yaml: no such experiment file"),
        ([GAN, "--budget", "8", "gna:seed=1"], "gna:seed=1: no experiment is called 'gna', but gan"),
        ([GAN, "--budget", "8", "net.widht=1"], "net.widht=1: unknown key 'widht' for 'unet'; did you mean 'width'?"),
        ([GAN, UNET, *SMALL, "--budget", "8", "gan:data.crops=9"], "unet-regression has data.crops=960, gan 9"),
        (
            [GAN, "--budget", "8", "trainer.max_epochs=3"],
            "trainer.max_epochs=3: cannot be set in a comparison",
        ),
        ([GAN, "--budget", "8", "gan:run_dir=x"], "run_dir=x: cannot be set in a comparison"),
        (["experiments/judge.yaml", "--budget", "8"], "a scene classifier colors nothing; it cannot be compared"),
        ([GAN, "--budget", "8", "--seeds", "0"], "argument --seeds: 0 is not a whole number above 0"),
        ([GAN, "--budget", "8", "--size", "8"], "--size 8: must be at least 16"),
        ([GAN, "--budget", "8", "--classifier", "README.md"], "README.md: not a checkpoint"),
        ([GAN, "--budget", "8", "--out", "README.md"], "--out README.md: File exists"),
        ([GAN, "--budget", "8", "data=folder", "data.root=nowhere"], "nowhere: no such folder"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2_before_any_training(arguments, said, tmp_path, trainings, capsys):
    out = [] if "--out" in arguments else ["--out", str(tmp_path)]
    assert compare.main([*arguments, *out]) == 2
    assert said in error(capsys)
    assert not trainings.calls


def test_a_changed_budget_is_one_line_and_exit_code_2(out, trainings, capsys):
    assert again(out, "--budget", "12") == 2
    assert "made with budget=8, not 12; name another --out" in error(capsys)
    assert not trainings.calls


def test_a_changed_setting_is_one_line_and_exit_code_2(out, trainings, capsys):
    assert again(out, "unet-regression:optim.lr=0.5") == 2
    assert re.search(r"unet-regression: made with optim.lr=[\d.]+, not 0.5; name another --out", error(capsys))
    assert not trainings.calls
