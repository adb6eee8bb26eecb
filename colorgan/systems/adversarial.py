"""The conditional GAN: a net that colors, against a discriminator that sees gray and color together."""

from typing import Literal

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from colorgan.color import split
from colorgan.losses import ADVERSARIAL
from colorgan.systems.colorization import Colorizer


class Adversarial(Colorizer):
    """Nazeri, Ng and Ebrahimi 2018, section 3.1: adversarial loss + color_weight x the codec's color loss.

    Source 001 adds MSE as color loss, one-sided label smoothing and a learning rate that drops on a plateau.
    """

    def __init__(
        self,
        net: nn.Module,
        codec: nn.Module,
        discriminator: nn.Module,
        experiment: DictConfig,
        loss: Literal["nonsaturating", "least_squares", "hinge"] = "nonsaturating",
        color_weight: float = 100.0,  # lambda of the paper
        real_label: float = 1.0,  # below 1: one-sided label smoothing, of the discriminator's real labels only
        discriminator_lr: float = 1.0,  # the discriminator's learning rate as a multiple of optim.lr
        generator_steps: int = 1,  # steps of the generator for each of the discriminator
        ema: float = 0.999,  # decay of the averaged generator
    ):
        super().__init__(net, codec, experiment, ema)
        if loss == "hinge" and real_label != 1:
            raise ValueError("the hinge loss has no labels to smooth: set system.real_label=1 or another system.loss")
        if not 0 < real_label <= 1:
            raise ValueError(f"real_label={real_label}: a label is in (0, 1]")
        if generator_steps < 1:
            raise ValueError(f"generator_steps={generator_steps}: at least one")
        if not codec.differentiable:
            raise ValueError(
                "a discriminator teaches through the decoded color, and codec.decoding="
                f"{codec.decoding} passes no gradient: set codec.decoding to a mean, or system=supervised"
            )
        self.discriminator = discriminator
        self.discriminator_loss, self.generator_loss = ADVERSARIAL[loss]
        self.boundary = 0.5 if loss == "least_squares" else 0.0  # logits above it mean "real"
        self.color_weight = color_weight
        self.real_label = real_label
        self.discriminator_lr = discriminator_lr
        self.generator_steps = generator_steps

    def parts(self) -> dict[str, tuple[nn.Module, float]]:
        return {"generator": (self.net, 1.0), "discriminator": (self.discriminator, self.discriminator_lr)}

    def look(self, L: Tensor, ab: Tensor) -> list[Tensor]:
        """L (B, 1, H, W), ab (B, 2, H, W) in Lab units -> what the discriminator judges of the pair."""
        return self.discriminator.look(torch.cat([L, ab], dim=1))

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        L, ab = split(batch["rgb"])
        out = self.predict(L, batch)
        fake = self.look(L, self.decode(out, L))
        self.step_discriminator(self.look(L, ab), [maps.detach() for maps in fake])
        for step in range(self.generator_steps):
            if step:
                out = self.predict(L, batch)
                fake = self.look(L, self.decode(out, L))
            self.step_generator(L, ab, out, fake)

    def step_discriminator(self, real: list[Tensor], fake: list[Tensor]) -> None:
        """One step of the discriminator; what it sees carries no gradient, so the generator stays as it is."""
        real_logits, fake_logits = self.discriminator(real), self.discriminator(fake)
        loss = self.discriminator_loss(real_logits, fake_logits, self.real_label)
        self.descend("discriminator", loss)
        self.log_train(
            {
                "discriminator_loss": loss.detach(),
                "real_accuracy": (real_logits > self.boundary).float().mean(),
                "fake_accuracy": (fake_logits <= self.boundary).float().mean(),
            }
        )

    def step_generator(self, L: Tensor, ab: Tensor, out: Tensor, fake: list[Tensor]) -> None:
        """One step of the generator; the discriminator passes gradients on and takes none."""
        with self.toggled_optimizer(self._optimizers()[0]):  # that of the generator
            adversarial = self.generator_loss(self.discriminator(fake))
            color = self.codec.loss(out, L, ab)
            loss = adversarial + self.color_weight * color
            self.descend("generator", loss)
        values = {"generator_loss": loss, "adversarial_loss": adversarial, "color_loss": color}
        self.log_train({key: value.detach() for key, value in values.items()})
