import contextlib
import re

import pytest
import torch
from omegaconf import OmegaConf
from omegaconf.errors import ReadonlyConfigError

from colorgan import config
from colorgan.errors import UserError
from colorgan.systems import TABLES
from colorgan.systems.building import build

JARGON = ("None:", "$VALUE", "subclass", "Traceback")  # what OmegaConf says when it knows no better
RICH = """
name: rich
paper: Süß 日本
deviations: [one, "two: three"]
net: {name: unet, width: 4, norm: none}
codec: regress
system: {name: adversarial, loss: hinge, real_label: 1}
data: {name: folder, root: /a b/c=d, size: 32, cache: none}
trainer: {max_epochs: 3, devices: [0, 1], limit_train_batches: 2, max_time: "00:00:10:00"}
optim: {betas: [0.5, 0.999], clip: 1}
wandb: {mode: disabled, tags: [a, b]}
"""


@pytest.fixture
def load(tmp_path):
    def run(*overrides, text="{}"):
        (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
        return config.load(tmp_path / "x.yaml", overrides, TABLES)

    return run


@pytest.fixture
def refusal(load, tmp_path):
    """The line that refuses these overrides or this text, without the folder's name."""

    def run(*overrides, text="{}"):
        with pytest.raises(UserError) as error:
            load(*overrides, text=text)
        return str(error.value).replace(f"{tmp_path}/", "")

    return run


def is_helpful(line, *named):
    return len(line.splitlines()) == 1 and not any(word in line for word in JARGON) and all(n in line for n in named)


def test_overrides_win_over_the_file_and_that_over_the_defaults(load):
    optim = load("optim.lr=2", "optim.lr=3", text="optim: {lr: 1, clip: 1}").optim
    assert (optim.lr, optim.clip, optim.patience) == (3.0, 1.0, 3)


@pytest.mark.parametrize("text", ["", "null", "{}", "net: null", "net: {}", "net: unet", "net: {name: unet}"])
def test_what_the_file_leaves_open_is_the_default(load, text):
    assert load(text=text) == load()


def test_a_bare_name_means_the_key_name_and_the_last_counts(load):
    named, plain = load("system.name=adversarial", "system=supervised"), load("system.name=supervised")
    assert named.system == plain.system == {"name": "supervised", "scene_weight": 0.0, "ema": 0.999, "hint_share": 0.0}


@pytest.mark.parametrize("text, size", [("{}", 128), ("net: {size: null}", 128), ("net: {size: 32}", 32)])
def test_the_size_of_the_net_is_that_of_the_data_unless_given(load, text, size):
    assert load("data.size=128", text=text).net.size == size


@pytest.mark.parametrize("text, run_dir", [("{}", "checkpoints/x"), ("name: y", "checkpoints/y"), ("run_dir: r", "r")])
def test_run_dir_follows_the_name_and_that_the_file(load, text, run_dir):
    assert load(text=text).run_dir == run_dir


def test_a_new_name_drops_the_arguments_of_the_old_one_and_says_so(load, caplog):
    experiment = load("system=supervised", text="system: {name: adversarial, real_label: 0.9, ema: 0.5}")
    assert experiment.system == {"name": "supervised", "scene_weight": 0.0, "ema": 0.999, "hint_share": 0.0}
    assert caplog.messages == ["system=supervised: dropped the arguments for 'adversarial': ema, real_label"]


def test_the_same_name_again_drops_nothing(load, caplog):
    assert load("data=photos", text="data: {crops: 3}").data.crops == 3
    assert not caplog.messages


def test_a_new_dataset_leaves_the_data_modules_own_keys(load):
    data = load("data=folder", text="data: {name: photos, crops: 3, size: 32, batch_size: 2, root: r}").data
    assert (data.name, data.size, data.batch_size, data.root, "crops" in data) == ("folder", 32, 2, "r", False)


@pytest.mark.parametrize(
    "override, line",
    [
        ("net.widht=3", "net.widht=3: unknown key 'widht' for 'unet'; did you mean 'width'?"),
        ("data.crop=3", "data.crop=3: unknown key 'crop' for 'photos'; did you mean 'crops'?"),
        ("system.real_labl=1", "unknown key 'real_labl' for 'adversarial'; did you mean 'real_label'?"),
        ("trainer.max_epoch=3", "unknown key 'max_epoch' for 'trainer'; did you mean 'max_epochs'?"),
        ("optim.foo.bar=3", "optim.foo.bar=3: unknown key 'foo' for 'optim'"),
        ("net=unett", "net=unett: unknown 'unett' for 'net'; did you mean 'unet'?"),
        ("data=foldr", "there are: photos, folder, places365, cifar10, flowers102, imagenette"),
        ("net={name: unet, width: 3}", "there are: unet"),
        ("seed=x", "seed=x: Value 'x' of type 'str' could not be converted to Integer"),
        ("net.norm=batchh", "expected one of ['batch', 'instance', 'spectral', 'none']"),
        ("net.width", "net.width: an override is key=value, as in data.size=64"),
        ("trainer.max_time=5 min", "trainer.max_time=5 min: write days:hours:minutes:seconds"),
    ],
)
def test_a_bad_override_is_refused_by_a_line_that_tells(refusal, override, line):
    assert line in refusal(override)


BAD_VALUES = """
    seed.x=3  seed=[1]  seed={a: 1}  seed=  seed=null  seed=true  seed=???  seed=@x  seed=1.5  sead=3  _target_=x  ü=3
    =3  .=3  name=  ${seed}=3  net.width.x=3  net.width=null  net.norm=null  net.name.x=3  net.name=  net=  net.=3
    net=3  net..width=3  net.ü=3  optim.betas=[0.5]  optim.betas=[a,b]  optim.betas=0.5  optim.betas=null
    optim.betas.0=0.5  data.size=[  optim=null  optim=3  trainer=[]  deviations=abc  wandb.tags=a  wandb.mode=off
    trainer.max_time=10:00  codec.loss=l2  codec.los=l1  system[name]=nope  checkpoint.keep=1.5  pretrained=maybe
    trainer.limit_val_batches=x
"""


@pytest.mark.parametrize("override", re.split(r"\s{2,}", BAD_VALUES.strip()))
def test_a_bad_override_is_one_line_that_names_its_key(refusal, override):
    key = override.partition("=")[0].removesuffix(".name")
    assert is_helpful(refusal(override), key)


BAD_TEXTS = """
    sead: 3|'seed'                         net: {widht: 3}|'unet'                    optim: {lrr: 3}|'lr'
    net.width: 3|net.width                 data: {name: folder, crops: 3}|'folder'   net: unett|'unet'
    net: {name: unett}|'unet'              net: {name: 3}|net                        net: {name: [a]}|net
    net: {name: null}|net                  net: 3|net                                discriminator: false|discriminator
    seed: x|seed                           seed: null|seed                           seed: {x: 3}|seed
    seed: ???|seed                         optim: 3|optim                            optim: null|optim
    optim: {betas: [0.5]}|optim.betas      optim: {betas: [a, b]}|optim.betas        optim: {betas: 0.5}|optim.betas
    optim: {schedule: cosin}|'cosine'      trainer: {max_time: 5}|trainer.max_time   deviations: abc|deviations
    deviations: {a: b}|deviations          deviations: [a: b]|deviations             3: 4|'3'
"""


@pytest.mark.parametrize("text, named", [item.split("|") for item in re.split(r"\s{2,}", BAD_TEXTS.strip())])
def test_a_bad_file_is_one_line_that_names_file_and_key(refusal, text, named):
    assert is_helpful(refusal(text=text), "x.yaml", named)


@pytest.mark.parametrize("value", ["${nope}", "${", "${oc.env:COLORGAN_NOPE}", "${seed}"])
@pytest.mark.parametrize("key", ["paper={}", "deviations=['{}']"])
def test_what_looks_like_an_interpolation_is_taken_or_refused_by_a_line(load, key, value):
    with contextlib.suppress(UserError):
        config.plain(load(key.format(value)))


@pytest.mark.parametrize("text", ["{", "a: [", "a: b: c", "\t- x", "seed: 1\nseed: 2", "a: *b", "a: !!python/none x"])
def test_a_file_that_is_no_yaml_is_said_to_be_none(refusal, text):
    assert is_helpful(refusal(text=text), "x.yaml: not valid YAML: ")


@pytest.mark.parametrize("text", ["[]", "- a", "3", "true"])
def test_a_file_that_is_no_mapping_is_told_what_one_looks_like(refusal, text):
    assert is_helpful(refusal(text=text), "x.yaml: an experiment file is `key: value` lines")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00bad", b"paper: \xfc", b"\x00\x01"])
def test_a_binary_file_is_refused(tmp_path, content):
    (tmp_path / "x.yaml").write_bytes(content)
    with pytest.raises(UserError, match=r"x\.yaml: not valid YAML: "):
        config.load(tmp_path / "x.yaml", [], TABLES)


@pytest.mark.parametrize("path", ["nope.yaml", ".", "", "n" * 300])
def test_a_missing_file_is_named(path):
    with pytest.raises(UserError, match="no such experiment file"):
        config.load(path, [], TABLES)


@pytest.mark.parametrize(
    "text", ["/a b/c=d", "ü日本", "~/x", "C:\\x", "3.10", "007", "2024_05", "1e3", "on", "a #1", "[a", "@x"]
)
def test_a_text_is_taken_as_it_is_written(load, text):
    assert load(f"data.root={text}").data.root == text


@pytest.mark.parametrize("time", ["00:00:10:00", "01:00:00:00", "10:00:00:00"])
def test_a_time_may_be_given_with_no_quotes(load, time):
    assert load(f"trainer.max_time={time}").trainer.max_time == time
    assert load(text=f"trainer: {{max_time: {time}}}").trainer.max_time == time


@pytest.mark.parametrize("key", ["seed", "net.width", "run_dir"])
def test_the_result_is_read_only(load, key):
    with pytest.raises(ReadonlyConfigError):
        OmegaConf.update(load(), key, 3)


def types(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return {type(value)}.union(*map(types, inner))


def test_plain_has_only_plain_types(load):
    assert types(config.plain(load(text=RICH))) <= {dict, list, str, int, float, bool, type(None)}


def test_plain_survives_a_checkpoint_that_is_read_without_code(load, tmp_path):
    plain = config.plain(load(text=RICH))
    torch.save(plain, tmp_path / "x.ckpt")
    assert torch.load(tmp_path / "x.ckpt", weights_only=True) == plain


@pytest.mark.parametrize("text", ["{}", RICH])
def test_resolving_what_is_resolved_changes_nothing(load, text):
    experiment = load(text=text)
    assert config.resolve(config.plain(experiment), [], TABLES, "x.ckpt") == experiment


class Thing:
    def __init__(self, channels: int, width: int = 3):
        if width < 0:
            raise ValueError("width is below 0\nand more")
        self.arguments = (channels, width)


@pytest.mark.parametrize("more, given", [({}, {}), ({"other": 1}, {}), ({}, {"pretrained": True})])
def test_construct_leaves_alone_what_the_class_does_not_take(more, given):
    node = OmegaConf.create({"name": "thing", "width": 4, **more})
    assert config.construct({"thing": Thing}, node, channels=2, **given).arguments == (2, 4)


def test_construct_gives_a_refused_value_as_one_line():
    with pytest.raises(UserError, match=r"^thing: width is below 0$"):
        config.construct({"thing": Thing}, OmegaConf.create({"name": "thing", "width": -1}), channels=2)


@pytest.mark.parametrize(
    "key, line",
    [
        ("system.real_label=0.9", "adversarial: the hinge loss has no labels to smooth"),
        ("system.generator_steps=0", "adversarial: generator_steps=0"),
        ("net.size=48", "unet: size=48: this net trains on a power of two"),
        ("net.width=-1", "unet: width=-1"),
        ("discriminator.width=0", "patchgan: width=0"),
    ],
)
def test_a_value_that_a_constructor_refuses_is_one_line(load, key, line):
    small = "net.width=4", "discriminator.width=4", "data.size=32", "system.loss=hinge"
    with pytest.raises(UserError, match=line):
        build(load(*small, key), fresh=False)


def test_a_packaged_experiment_goes_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gan").mkdir()  # a folder of that name is no experiment
    assert config.load("gan", [], TABLES).name == "gan"


def test_a_file_wins_over_a_packaged_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gan").write_text("name: mine")
    assert config.load("gan", [], TABLES).name == "mine"


@pytest.mark.parametrize("name", ["gna", "experiments/gna.yaml"])
def test_an_unknown_experiment_names_those_that_there_are(name):
    with pytest.raises(UserError, match=rf"^{name}: no such experiment.*did you mean 'gan'\?.*zhang2016$"):
        config.load(name, [], TABLES)
