"""Every system learns eight photographs by heart: catches a net that cannot learn."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from colorgan import config
from colorgan.color import split
from colorgan.data.photos import SkimagePhotos
from colorgan.metrics import ab_error
from colorgan.systems import TABLES
from colorgan.systems.building import build

STEPS = 300
SMALL = ["data.size=64", "pretrained=false", "system.ema=0.9", "net.width=32"]
RATES = {  # experiment: its overrides, with a learning rate for so few steps
    "gan-places365": ["optim.lr=1e-3"],
    "gan-places365-mse": ["optim.lr=3e-3", "system.discriminator_lr=0.01"],
    "unet-regression": ["optim.lr=1e-3"],
    "cnn-regression": ["optim.lr=3e-3"],
    "cnn-classification": ["optim.lr=3e-3"],
    "zhang2016": ["optim.lr=1e-3", "optim.weight_decay=0", "codec.rebalance=1"],
    "larsson2016": ["optim.optimizer=adam", "optim.lr=1e-3", "optim.weight_decay=0", "net.dropout=0"],
    "iizuka2016": ["optim.optimizer=adam", "optim.lr=1e-3", "net.global_size=64", "net.classes=5"],
    "vgg19-fusion": ["optim.lr=3e-4"],
    "koalarization": ["optim.lr=1e-3", "net.body=resnet10t", "net.body_size=64"],
    "gan-fast": ["system.color_first=0", "discriminator.body=resnet10t", "optim.encoder_lr=1"],
}


def photographs():
    """A batch of eight crops of the embedded photographs, 64 px."""
    source = SkimagePhotos(root=None, train=False)
    chosen = [i * len(source) // 8 for i in range(8)]
    rgb = torch.stack([torch.from_numpy(source.load(i, 64)) for i in chosen]).float() / 255
    return {"rgb": rgb, "label": torch.tensor([source.label(i) for i in chosen]), "index": torch.arange(8)}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "mixed"), [*((name, False) for name in RATES), ("gan-fast", True)])
def test_a_system_learns_eight_photographs(name, mixed):
    torch.set_num_threads(2)
    fits = [item for item in SMALL if item != "net.width=32" or not name.startswith("cnn")]
    experiment = config.load(f"experiments/{name}.yaml", [*fits, *RATES[name]], TABLES)
    model = build(experiment, fresh=True)
    optimizers, _ = model.configure_optimizers()
    model.optimizers = lambda: optimizers
    model._trainer = SimpleNamespace(optimizers=optimizers)
    model.manual_backward = lambda loss: loss.backward()
    model.log_train = lambda values, share=1.0: None
    batch = photographs()
    model.initialize(iter([batch]))
    for _ in range(STEPS):
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            model.train_batch(batch)
        model.ema.update_parameters(model.model)
    model.eval()
    L, ab = split(batch["rgb"])
    with torch.no_grad():
        painted = ab_error(model(L), ab).mean()
        shape = model.model.net(L).shape[-2:]
        small = [F.interpolate(x, shape, mode="area") for x in (L, ab)]
        floor = F.interpolate(model.model.codec.reconstruct(*small), L.shape[-2:], mode="bilinear")
    gray, best = ab_error(torch.zeros_like(ab), ab).mean(), ab_error(floor, ab).mean()
    closed = (gray - painted) / (gray - best)
    print(f"{name}: gray {gray:.2f}, floor {best:.2f}, learned {painted:.2f}: {closed:.1%} closed")
    assert closed >= 0.75
