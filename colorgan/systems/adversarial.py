"""The conditional GAN: a net that colors, against a discriminator that sees gray and color together."""

from typing import Literal

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from colorgan.color import split
from colorgan.colorizer.colorizer import Colorizer, Conditions, resize_color
from colorgan.losses import ADVERSARIAL
from colorgan.systems.colorization import Colorization


class Adversarial(Colorization):
    """Nazeri, Ng and Ebrahimi 2018, section 3.1: adversarial loss + color_weight x the codec's color loss.

    Source 001 adds MSE as color loss, one-sided label smoothing and a learning rate that drops on a plateau.
    """

    def __init__(
        self,
        colorizer: Colorizer,
        discriminator: nn.Module,
        experiment: DictConfig,
        loss: Literal["nonsaturating", "least_squares", "hinge"] = "nonsaturating",
        color_weight: float = 100.0,  # lambda of the paper
        real_label: float = 1.0,  # below 1: one-sided label smoothing, of the discriminator's real labels only
        discriminator_lr: float = 1.0,  # the discriminator's learning rate as a multiple of optim.lr
        generator_steps: int = 1,  # steps of the generator for each of the discriminator
        ema: float = 0.999,  # decay of the averaged generator
    ):
        super().__init__(colorizer, experiment, ema)
        if loss == "hinge" and real_label != 1:
            raise ValueError("the hinge loss has no labels to smooth: set system.real_label=1 or another system.loss")
        if not 0 < real_label <= 1:
            raise ValueError(f"real_label={real_label}: a label is in (0, 1]")
        if generator_steps < 1:
            raise ValueError(f"generator_steps={generator_steps}: at least one")
        if not colorizer.codec.differentiable:
            raise ValueError(
                "a discriminator teaches through the decoded color, and codec.decoding="
                f"{colorizer.codec.decoding} passes no gradient: set codec.decoding to a mean, or system=supervised"
            )
        self.discriminator = discriminator
        self.discriminator_loss, self.generator_loss = ADVERSARIAL[loss]
        self.boundary = 0.5 if loss == "least_squares" else 0.0  # logits above it mean "real"
        self.color_weight = color_weight
        self.real_label = real_label
        self.discriminator_lr = discriminator_lr
        self.generator_steps = generator_steps

    def networks(self) -> dict[str, tuple[nn.Module, float]]:
        return super().networks() | {"discriminator": (self.discriminator, self.discriminator_lr)}

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        L, ab = split(batch["rgb"])
        conditions = self.conditions(L, batch)
        out, fake = self.generate(conditions)
        self.step_discriminator(self.discriminator_input(L, ab), [features.detach() for features in fake])
        for step in range(self.generator_steps):
            if step:
                out, fake = self.generate(conditions)
            self.step_generator(L, ab, out, fake)

    def generate(self, conditions: Conditions) -> tuple[Tensor, list[Tensor]]:
        """Return the output of the net, and what the discriminator gets of the color that it means."""
        out = self.model.run_net(conditions)
        ab = resize_color(self.model.predict(conditions, out), conditions.L)
        return out, self.discriminator_input(conditions.L, ab)

    def discriminator_input(self, L: Tensor, ab: Tensor) -> list[Tensor]:
        """Return the input features of the discriminator for L (B, 1, H, W) and ab (B, 2, H, W) in Lab units."""
        return self.discriminator.features(torch.cat([L, ab], dim=1))

    def step_discriminator(self, real: list[Tensor], fake: list[Tensor]) -> None:
        """Step the discriminator on input features that carry no gradient, so that the generator stays as it is."""
        real_logits, fake_logits = self.discriminator(real), self.discriminator(fake)
        loss = self.discriminator_loss(real_logits, fake_logits, self.real_label)
        self.step_optimizer("discriminator", loss)
        self.log_train(
            {
                "discriminator_loss": loss.detach(),
                "real_accuracy": (real_logits > self.boundary).float().mean(),
                "fake_accuracy": (fake_logits <= self.boundary).float().mean(),
            }
        )

    def step_generator(self, L: Tensor, ab: Tensor, out: Tensor, fake: list[Tensor]) -> None:
        """Step the generator; the discriminator passes gradients on and takes none."""
        with self.toggled_optimizer(self._optimizers()[0]):  # that of the generator
            adversarial = self.generator_loss(self.discriminator(fake))
            color = self.model.codec.loss(out, L, ab)
            loss = adversarial + self.color_weight * color
            self.step_optimizer("generator", loss)
        values = {"generator_loss": loss, "adversarial_loss": adversarial, "color_loss": color}
        self.log_train({key: value.detach() for key, value in values.items()})
