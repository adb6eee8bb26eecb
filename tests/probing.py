"""Small nets, inputs for nets and discriminators, and what a pass through one tells."""

import torch
from omegaconf import OmegaConf
from torch import nn

from colorgan.config import construct
from colorgan.nets import NETS

SMALL = {
    "encoder_unet": {"body": "test_efficientnet"},
    "iizuka": {"global_size": 32},
    "koala": {"body": "resnet10t", "body_size": 32},
}


def net_of(name, channels=2, **more):
    """A small form of a net, built as an experiment builds it, that does not start gray."""
    node = OmegaConf.create({"name": name, "size": 32, "width": 4, **SMALL.get(name, {}), **more})
    net = construct(NETS, node, channels=channels, pretrained=False)
    if name == "encoder_unet":
        net.head.reset_parameters()
    return net


def gray(batch, height=32, width=32):
    return 100 * torch.rand(batch, 1, height, width)


def lab(batch, height=32, width=32):
    return torch.cat([gray(batch, height, width), 30 * torch.randn(batch, 2, height, width)], dim=1)


def parameters(net):
    return sum(p.numel() for p in net.parameters())


def descend(call, x):
    """One backward pass of a loss that depends on every output."""
    out = call(x)
    (out * torch.randn_like(out)).sum().backward()


def without_gradient(net):
    """Names of what the loss does not reach; a bias before a normalization is one by nature, so biases are left out."""
    weights = {name: p for name, p in net.named_parameters() if p.requires_grad and not name.endswith("bias")}
    return [name for name, p in weights.items() if p.grad is None or not p.grad.any()]


def silent_leaves(net, call, x):
    """Names of the modules of `net` without children that `call(x)` does not use, except those that do nothing."""
    leaves = {
        name: module
        for name, module in net.named_modules()
        if not list(module.children()) and not isinstance(module, (nn.Identity, nn.ModuleDict, nn.ModuleList))
    }
    fired = set()
    for name, module in leaves.items():
        module.register_forward_hook(lambda *_, name=name: fired.add(name))
    call(x)
    return leaves.keys() - fired


def spectral_layers(net):
    return [m for m in net.modules() if nn.utils.parametrize.is_parametrized(m, "weight")]
