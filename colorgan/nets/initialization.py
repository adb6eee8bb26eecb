"""First weights that fit the data (Krähenbühl et al. 2016, "Data-dependent initializations of CNNs")."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

FLAT = 1e-5  # a channel of a smaller deviation is constant but for rounding: there is nothing to scale


@torch.no_grad()
def normalize_layers(net: nn.Module, *inputs: Tensor) -> None:
    """Scales and shifts the output channels of each convolution to mean 0 and variance 1 over one batch.

    Section 3.1, within layers, with random weights: the k-means of patches is left out. One forward pass does it, as
    each layer hands its normalized output on. A channel that is constant over the batch is shifted alone.

    Args:
        net: its convolutions, plain and transposed, with biases, are changed in place.
        inputs: what the net is called with.
    """

    def normalize(conv: nn.Conv2d | nn.ConvTranspose2d, _: tuple, out: Tensor) -> Tensor:
        std, mean = torch.std_mean(out.float(), dim=(0, 2, 3), correction=0)
        scale = torch.where(std > FLAT, 1 / std, 1.0)
        transposed = isinstance(conv, nn.ConvTranspose2d)
        conv.weight.mul_(scale.view((1, -1, 1, 1) if transposed else (-1, 1, 1, 1)))
        conv.bias.sub_(mean).mul_(scale)
        return (out - mean.view(-1, 1, 1)) * scale.view(-1, 1, 1)

    convs = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    _run(net, inputs, convs, normalize)


@torch.no_grad()
def scale_layers(convs: list[nn.Module], net: nn.Module, *inputs: Tensor) -> None:
    """Scales convolutions to outputs of mean square 1 over one batch, and leaves what they compute as it is.

    With ReLUs and poolings between them a factor passes through, so each layer's share of it goes into its weights and
    what came before also into its bias (Larsson et al. 2016, on their network).

    Args:
        convs: in the order in which they fire, each on what the one before it gave.
        net: the network that holds them.
        inputs: what the net is called with.
    """
    scale = 1.0

    def rescale(conv: nn.Module, _: tuple, out: Tensor) -> Tensor:
        nonlocal scale
        shift = (scale - 1) * conv.bias.view(-1, 1, 1)  # as the input came scaled, the bias has to be
        out = out + shift
        factor = 1 / out.float().square().mean().sqrt().clamp(min=1e-6)
        conv.weight.mul_(factor)
        conv.bias.mul_(scale * factor)
        scale = float(scale * factor)
        return out * factor

    _run(net, inputs, convs, rescale)


def _run(net: nn.Module, inputs: tuple[Tensor, ...], convs: list[nn.Module], change: Callable) -> None:
    """One forward pass in which `change` may replace what each of `convs` gives."""
    hooks = [conv.register_forward_hook(change) for conv in convs]
    try:
        net(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
