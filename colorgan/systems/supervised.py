"""Training on the codec's color loss alone."""

from omegaconf import DictConfig
from torch import Tensor, nn

from colorgan.color import split
from colorgan.systems.base import Colorizer


class Supervised(Colorizer):
    """A net and a codec without an opponent: the baselines that a GAN has to beat (Nazeri 2018, section 4.2)."""

    def __init__(
        self,
        net: nn.Module,
        codec: nn.Module,
        experiment: DictConfig,
        ema: float = 0.999,  # decay of the averaged net
    ):
        super().__init__(net, codec, experiment, ema)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        L, ab = split(batch["rgb"])
        loss = self.codec.loss(self.net(L), L, ab)
        self.descend("generator", loss)
        self.log_train({"color_loss": loss.detach()})
