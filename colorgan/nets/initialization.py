"""Data-dependent initialization of weights (Krähenbühl et al. 2016, "Data-dependent initializations of CNNs")."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

MIN_STD = 1e-5  # a channel with a smaller standard deviation is constant up to rounding and is not scaled


@torch.no_grad()
def normalize_layers(net: nn.Module, *inputs: Tensor) -> None:
    """Scale and shift the output channels of each convolution to mean 0 and variance 1 over a batch.

    This is the within-layer initialization of section 3.1 with random weights instead of k-means of patches. It takes a
    single forward pass, because each layer passes its normalized output on. A channel that is constant over the batch
    is only shifted.

    Args:
        net: the weights and biases of its convolutions, also transposed ones, are changed in place. All must have one.
        inputs: arguments of the forward pass, with a batch of training data.
    """

    def normalize(conv: nn.Conv2d | nn.ConvTranspose2d, _: tuple, out: Tensor) -> Tensor:
        std, mean = torch.std_mean(out.float(), dim=(0, 2, 3), correction=0)
        scale = torch.where(std > MIN_STD, 1 / std, 1.0)
        transposed = isinstance(conv, nn.ConvTranspose2d)
        conv.weight.mul_(scale.view((1, -1, 1, 1) if transposed else (-1, 1, 1, 1)))
        conv.bias.sub_(mean).mul_(scale)
        return (out - mean.view(-1, 1, 1)) * scale.view(-1, 1, 1)

    convs = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    _forward_with_hook(net, inputs, convs, normalize)


@torch.no_grad()
def scale_layers(convs: list[nn.Module], net: nn.Module, *inputs: Tensor) -> None:
    """Scale a chain of convolutions to outputs of mean square 1 over a batch (Larsson et al. 2016, on their network).

    A positive factor commutes with ReLU and pooling. The outputs are therefore those of the original weights up to a
    factor: the weights of each layer are scaled by its own factor, its bias also by those of the layers before it.

    Args:
        convs: in the order of execution, each on the output of the one before it, with only ReLU and pooling between.
        net: the network that contains `convs`, which are changed in place.
        inputs: arguments of the forward pass, with a batch of training data.
    """
    scale = 1.0

    def rescale(conv: nn.Module, _: tuple, out: Tensor) -> Tensor:
        nonlocal scale
        shift = (scale - 1) * conv.bias.view(-1, 1, 1)  # scales the bias like the layer's input
        out = out + shift
        factor = 1 / out.float().square().mean().sqrt().clamp(min=1e-6)
        conv.weight.mul_(factor)
        conv.bias.mul_(scale * factor)
        scale = float(scale * factor)
        return out * factor

    _forward_with_hook(net, inputs, convs, rescale)


def _forward_with_hook(net: nn.Module, inputs: tuple[Tensor, ...], convs: list[nn.Module], hook: Callable) -> None:
    """Run one forward pass with a forward hook on each of `convs`."""
    handles = [conv.register_forward_hook(hook) for conv in convs]
    try:
        net(*inputs)
    finally:
        for handle in handles:
            handle.remove()
