"""Print the table of docs/scaling.md: pictures/s of many GPUs, by computation, bytes of gradients and bandwidth.

python benchmarks/scaling_model.py
"""

from dataclasses import dataclass

RATE = 200e12  # FLOP/s that a step reaches on one GPU: a fifth of the bfloat16 peak of an H100; not measured
HOST = 0.015  # seconds of the host for a step, below which a faster GPU waits; assumed
BACKWARD = 0.6  # share of the computation in the backward passes, behind which gradients are exchanged
NORMS = 24  # passes through batch normalization in a step, whose statistics two collectives share each
LATENCY = {1: 0.0, 8: 30e-6, 64: 80e-6}  # seconds of a collective of a few bytes, by the number of GPUs


@dataclass(frozen=True)
class Network:
    """What a step computes and exchanges.

    Args:
        name: of the experiment.
        flops: of a step, for a picture; from `colorgan.bench train`.
        parameters: of all networks, each with a gradient of four bytes.
    """

    name: str
    flops: float
    parameters: float


@dataclass(frozen=True)
class Link:
    """What gradients travel over.

    Args:
        name: for the table.
        gpus: number of GPUs.
        bandwidth: bytes/s of an all-reduce around all GPUs, which nccl-tests prints as busbw; not measured.
    """

    name: str
    gpus: int
    bandwidth: float


NETWORKS = (Network("gan-places365, 256 px", 107e9, 44.8e6), Network("gan-fast, 64 px", 3.3e9, 6.2e6))
LINKS = (
    Link("1 GPU", 1, float("inf")),
    Link("8, NVLink", 8, 300e9),
    Link("8, PCIe", 8, 12e9),
    Link("8x8, eight 400 Gb/s a node", 64, 250e9),
    Link("8x8, one 100 Gb/s a node", 64, 11e9),
    Link("8x8, one 10 Gb/s a node", 64, 1.1e9),
)


def step_seconds(network: Network, batch: int, link: Link) -> float:
    """Return the time of a step of the model: computation, or the exchange where that is longer than what hides it.

    Args:
        network: what is trained.
        batch: pictures of a GPU.
        link: number of GPUs, and their bandwidth.
    """
    compute = batch * network.flops / RATE
    sent = 2 * (link.gpus - 1) / link.gpus * 4 * network.parameters  # of a ring
    exposed = max(0.0, sent / link.bandwidth - BACKWARD * compute)
    return max(HOST, compute + exposed + 2 * NORMS * LATENCY[link.gpus])


def main() -> None:
    """Print the table."""
    print(f"| | batch of a GPU | {' | '.join(link.name for link in LINKS)} |")
    print("|---" * (len(LINKS) + 2) + "|")
    for network in NETWORKS:
        for batch in (16, 64, 256):
            alone = batch / step_seconds(network, batch, LINKS[0])
            cells = [f"{alone:,.0f}"]
            for link in LINKS[1:]:
                speed = link.gpus * batch / step_seconds(network, batch, link)
                cells.append(f"{speed:,.0f} ({100 * speed / alone / link.gpus:.0f}%)")
            print(f"| {network.name} | {batch} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
