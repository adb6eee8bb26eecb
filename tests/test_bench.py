"""The benchmark: each of its modes on tiny work, what it writes, and how it compares."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from colorgan import bench, config, facts
from colorgan.benching import coloring, peak, report, training
from colorgan.benching.report import CPU_TIME, Figure
from colorgan.errors import UserError
from colorgan.systems import TABLES
from colorgan.systems.building import build
from tests.conftest import TINY
from tests.test_readme import BENCH

FIXED = tuple(training.FIXED)
SMALL = [item for item in TINY if not item.startswith(FIXED)]
KEYS = {"mode", "date", "commit", "changes", "versions", "hardware", "settings", "figures", "flops_per_picture"}
KEYS |= {"peaks", "share_of_peak", "notes"}


@pytest.fixture(autouse=True)
def small_peaks(monkeypatch):
    monkeypatch.setattr(peak, "MATRIX", {"cpu": 16})
    monkeypatch.setattr(peak, "MAPS", {"cpu": 1})
    monkeypatch.setattr(peak, "SIDE", 4)


@pytest.fixture
def run(tmp_path):
    """Runs the benchmark and returns the JSON that it writes."""

    def run(mode, *arguments):
        path = tmp_path / f"{len(list(tmp_path.glob('*.json')))}.json"
        assert bench.main([mode, *map(str, arguments), "--repeats", "2", "--json", str(path)]) == 0
        return json.loads(path.read_text())

    return run


@pytest.fixture
def run_train(run):
    return lambda *more: run("train", "experiments/gan.yaml", *SMALL, *more, "--batches", "2", "--warm-up", "1")


def result(**figures):
    """A result, as JSON, with these figures."""
    made = {name: Figure("s", values, better) for name, (values, better) in figures.items()}
    return report.as_json(report.Result("train", "cpu", {"repeats": 1}, made, {}, {}, None, []), 0.0)


def test_flop_of_the_work_that_finds_the_peak():
    product, flops = peak.matrix_product(16, "cpu", torch.float32)
    assert (product().shape, flops) == ((16, 16), 2 * 16**3)
    convolution, flops = peak.convolution(2, "cpu", torch.bfloat16)
    assert convolution().shape == (2, 128, 4, 4) and convolution().dtype == torch.bfloat16
    assert flops == 2 * (2 * 128 * 4 * 4) * (128 * 3 * 3)


def test_training(run_train, capsys):
    content = run_train()
    assert content.keys() >= KEYS
    figures = content["figures"]
    phases = [name for name, figure in figures.items() if figure["unit"] == "ms/picture" and name != CPU_TIME]
    assert phases == [
        "waiting for data",
        "transfer and color",
        "generator forward",
        "discriminator step",
        "optimizers",
        "generator step",
        "average and logging",
    ]
    for i, speed in enumerate(figures["pictures/s"]["values"]):
        assert sum(figures[phase]["values"][i] for phase in phases) == pytest.approx(1000 / speed)
    assert all(len(figure["values"]) == 2 for figure in figures.values())
    assert figures[CPU_TIME]["median"] > figures["generator forward"]["median"] / 10
    assert figures["peak memory"]["median"] > figures["above the loaded process"]["median"]
    assert content["hardware"]["usable_cores"] >= 1 and content["hardware"]["gpus"] == []
    assert content["versions"].keys() >= {"python", "colorgan", "torch", "torchvision", "pytorch-lightning", "pillow"}
    assert content["settings"]["experiment"]["net"]["width"] == 4
    assert len(content["commit"]) == 40
    assert "pictures/s" in capsys.readouterr().out


def test_coloring(run, rgb, tmp_path):
    Image.fromarray(rgb).save(tmp_path / "mine.png")
    content = run("sample", "48x32", tmp_path / "mine.png", "--pictures", 2, "--device", "cpu")
    assert content.keys() >= KEYS
    assert content["settings"]["inputs"] == ["48x32", str(tmp_path / "mine.png")]
    for name in ("48x32", "mine.png"):
        own = {key.removeprefix(f"{name}: "): f for key, f in content["figures"].items() if key.startswith(name)}
        speed = own["pictures/s, files left out"]["values"]
        for i in range(2):
            parts = own["predict"]["values"][i] + own["paint"]["values"][i]
            assert parts == pytest.approx(1000 / speed[i])
        assert own[CPU_TIME]["median"] > 0
        assert own["decode"]["median"] > 0 and own["encode"]["median"] > 0
        assert own["times Pillow"]["values"][0] == pytest.approx(
            1000 / own["pictures/s"]["values"][0] / own["Pillow decodes and encodes"]["values"][0]
        )
    assert content["flops_per_picture"]["net, 48x32"] > 1e8
    assert 0 < content["share_of_peak"]


def test_a_made_photograph_has_its_size_and_is_gray(tmp_path):
    files = coloring._make_files(tmp_path / "made", "60x40", 3)
    assert [file.name for file in files] == ["0000.jpg", "0001.jpg", "0002.jpg"]
    with Image.open(files[2]) as image:
        assert (image.size, image.mode) == ((60, 40), "L")


def test_an_input_that_is_neither_a_file_nor_a_size_is_refused(capsys):
    assert bench.main(["sample", "640x0"]) == 2
    assert capsys.readouterr().err == "error: 640x0: no such file, and no size such as 640x480\n"


def test_evaluation(run):
    content = run("evaluate", "--pictures", 4, "--size", 32, "--device", "cpu")
    assert content.keys() >= KEYS
    figures = content["figures"]
    for i, speed in enumerate(figures["pictures/s, files left out"]["values"]):
        parts = sum(figures[part]["values"][i] for part in ("count colors", "predict", "measure", "intervals"))
        assert parts == pytest.approx(1000 / speed)
    assert figures["read"]["median"] > 0 and figures[CPU_TIME]["median"] > 0 and figures["peak memory"]["median"] > 0
    assert content["settings"] == {"ckpt": None, "pictures": 4, "size": 32, "repeats": 2}


def flops_of(net, L):
    """Floating-point operations of each convolution of a net, by hand."""
    found = []

    def count(module, inputs, out):
        spread = inputs[0] if isinstance(module, nn.ConvTranspose2d) else out  # what the kernel is laid on
        found.append(2 * spread[0, 0].numel() * module.weight.numel())

    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.register_forward_hook(count)
    net(L)
    return found


def test_flop_of_training(run_train):
    content = run_train("system=supervised")
    system = build(config.load("experiments/gan.yaml", [*TINY, "system=supervised"], TABLES), fresh=False)
    flops = content["flops_per_picture"]
    convolutions = flops_of(system.model.net.eval(), torch.zeros(1, 1, 32, 32))
    assert flops["generator forward"] == sum(convolutions)
    # The backward pass has two convolutions for one, but no gradient of the input is needed.
    assert flops["step"] == 3 * sum(convolutions) - convolutions[0]
    assert 0 < content["share_of_peak"]


@pytest.mark.parametrize(
    "settings",
    [
        ["system=supervised", "net=hypercolumn", "codec=histograms", "pretrained=false"],
        ["system=supervised", "net=iizuka", "net.global_size=32", "net.classes=5", "system.scene_weight=0.1"],
        ["optim.accumulate=2", "system.generator_steps=2"],
    ],
)
def test_every_step_has_a_forward_pass(run_train, settings):
    figures = run_train(*settings)["figures"]
    for phase in ("generator forward", "generator step", "optimizers"):
        assert figures[phase]["median"] > figures["waiting for data"]["median"] / 100


def test_compiled_networks_are_measured_without_flop(run_train):
    content = run_train("trainer.compile=eager", "system=supervised")
    assert content["flops_per_picture"] == {} and content["share_of_peak"] is None
    assert content["figures"]["generator forward"]["median"] > 0


def test_a_setting_that_the_benchmark_makes_is_refused(capsys):
    assert bench.main(["train", "gan", "trainer.max_epochs=3"]) == 2
    assert capsys.readouterr().err == "error: trainer.max_epochs=3: the benchmark sets this itself; leave it out\n"


@pytest.mark.parametrize("arguments", [[], ["paint"], ["train"], ["train", "gan", "--repeats", "0"]])
def test_wrong_arguments_are_one_line(capsys, arguments):
    assert bench.main(arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_unreadable_pictures_are_named(run, folder):
    (folder / "sea/broken.png").write_bytes(b"no picture")
    data = ["data.name=folder", f"data.root={folder}", "data.near_gray=0"]
    content = run("train", "gan", *SMALL, *data, "--batches", "2", "--warm-up", "1")
    assert ["broken.png" in note for note in content["notes"]] == [True]


@pytest.mark.parametrize(
    ("old", "new", "better", "lost"),
    [
        ([10, 10, 10], [9.6], "larger", True),
        ([10, 10, 10], [9.8], "larger", False),  # within 3%
        ([10, 10, 10], [12], "larger", False),
        ([10, 10, 10], [12], "smaller", True),
        ([10, 10, 10], [5], None, False),  # a part of a whole
        ([8, 10, 12], [5, 5, 5], "larger", False),  # within 3 x 2
        ([8, 10, 12], [3, 3, 3], "larger", True),
        ([10, 10, 10], [3, 5, 7], "larger", False),
        ([8, 10, 12], [0, 2, 4], "larger", False),  # within 3 x root(2² + 2²)
    ],
)
def test_a_loss_is_more_than_the_noise(old, new, better, lost):
    _, found = report.compare(result(x=(old, better)), result(x=(new, better)))
    assert found == lost


def test_figures_of_one_version_alone_are_left_out_of_the_comparison():
    text, lost = report.compare(
        result(x=([1.0], "larger"), zero=([0.0], "smaller")),
        result(x=([1.0], "larger"), y=([1.0], "larger"), zero=([1.0], "smaller")),
    )
    assert not lost and [line.split()[0] for line in text.splitlines()[1:]] == ["x"]


def test_a_loss_is_code_1(run_train, tmp_path, capsys):
    old = run_train()
    for figure in old["figures"].values():
        figure["median"] *= 100 if figure["better"] == "larger" else 0.01
    (tmp_path / "old.json").write_text(json.dumps(old))
    small = [*SMALL, "--batches", "2", "--warm-up", "1", "--repeats", "2"]
    capsys.readouterr()
    assert bench.main(["train", "experiments/gan.yaml", *small, "--compare", str(tmp_path / "old.json")]) == 1
    assert capsys.readouterr().out.count("lost") == 3


@pytest.mark.parametrize("part", ["settings", "hardware"])
def test_other_work_is_not_compared(part, tmp_path):
    old, new = result(), result()
    new[part]["device" if part == "hardware" else "repeats"] = "abacus"
    with pytest.raises(UserError, match=r"old.json: \w+\.\w+ was \w+ and is abacus: there is nothing to compare$"):
        report.require_same(old, new, part, tmp_path / "old.json")


def test_a_key_of_one_version_alone_is_no_difference(tmp_path):
    new = result()
    new["settings"]["more"] = 1
    report.require_same(result(), new, "settings", tmp_path)
    report.require_same(new, result(), "settings", tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"mode": "train"}', "\0"])
def test_another_file_is_no_old_result(tmp_path, capsys, text):
    (tmp_path / "old.json").write_text(text)
    assert bench.main(["train", "gan", *SMALL, "--compare", str(tmp_path / "old.json")]) == 2
    assert capsys.readouterr().err.endswith("old.json: not a result of colorgan.bench --json\n")


def test_other_settings_are_refused_before_anything_is_measured(tmp_path, monkeypatch, capsys):
    old = result()
    (tmp_path / "old.json").write_text(json.dumps(old))
    monkeypatch.setattr(training, "measure_training", None)
    assert bench.main(["train", "gan", *SMALL, "--repeats", "2", "--compare", str(tmp_path / "old.json")]) == 2
    assert "settings.repeats was 1 and is 2" in capsys.readouterr().err


def test_a_wheel_has_no_commit(monkeypatch, tmp_path):
    monkeypatch.setattr(facts, "PACKAGE", tmp_path / "colorgan")
    found = facts.describe_software()
    assert (found["commit"], found["changes"]) == (None, None)
    assert "(a wheel)" in report.as_text({**result(x=([1.0], None)), **found})


def test_the_commands_of_the_readme(tmp_path, monkeypatch):
    root = Path.cwd()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "experiments").symlink_to(root / "experiments")
    for command in BENCH:
        arguments = command.replace("4000x3000", "48x32").replace("640x480", "32x24").split()[3:]
        if arguments[0] == "train":
            arguments += [*SMALL, "--batches", "2", "--warm-up", "1"]
        assert bench.main([*arguments, "--repeats", "2"]) in ((0, 1) if "--compare" in command else (0,))
