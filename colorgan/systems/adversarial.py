"""Training as a conditional GAN, whose discriminator sees lightness and color together."""

from typing import Literal

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from colorgan.color import split
from colorgan.colorizer.colorizer import Colorizer, Conditions, resize_color
from colorgan.losses import ADVERSARIAL
from colorgan.systems.colorization import Colorization


class Adversarial(Colorization):
    """Conditional GAN of Nazeri, Ng and Ebrahimi 2018, section 3.1.

    The generator minimizes the adversarial loss + `color_weight` times the codec's color loss. Zhou and Zhou (Automatic
    Colorization) use MSE as color loss, one-sided label smoothing and a learning rate that drops on a plateau.

    Args:
        colorizer: the generator, with a differentiable codec.
        discriminator: maps `discriminator.features` of Lab images to logits.
        experiment: resolved experiment.
        loss: adversarial loss.
        color_weight: weight of the color loss; lambda in the paper.
        real_label: target of the discriminator for real images, in (0, 1]; below 1 for one-sided label smoothing.
        discriminator_lr: learning rate of the discriminator as a multiple of `optim.lr`.
        generator_steps: steps of the generator per step of the discriminator.
        ema: decay of the averaged generator.

    Raises:
        ValueError: an argument is out of range, or the arguments exclude each other.
    """

    def __init__(
        self,
        colorizer: Colorizer,
        discriminator: nn.Module,
        experiment: DictConfig,
        loss: Literal["nonsaturating", "least_squares", "hinge"] = "nonsaturating",
        color_weight: float = 100.0,
        real_label: float = 1.0,
        discriminator_lr: float = 1.0,
        generator_steps: int = 1,
        ema: float = 0.999,
    ):
        super().__init__(colorizer, experiment, ema)
        if loss == "hinge" and real_label != 1:
            raise ValueError("the hinge loss has no labels to smooth: set system.real_label=1 or another system.loss")
        if not 0 < real_label <= 1:
            raise ValueError(f"real_label={real_label}: must be in (0, 1]")
        if generator_steps < 1:
            raise ValueError(f"generator_steps={generator_steps}: must be at least 1")
        if not colorizer.codec.differentiable:
            raise ValueError(
                "the generator learns from gradients of the decoded color, and codec.decoding="
                f"{colorizer.codec.decoding} has none: set codec.decoding to a mean, or system=supervised"
            )
        self.discriminator = discriminator
        self.discriminator_loss, self.generator_loss = ADVERSARIAL[loss]
        self.real_threshold = 0.5 if loss == "least_squares" else 0.0  # larger logits mean "real"
        self.color_weight = color_weight
        self.real_label = real_label
        self.discriminator_lr = discriminator_lr
        self.generator_steps = generator_steps

    def networks(self) -> dict[str, tuple[nn.Module, float]]:
        return super().networks() | {"discriminator": (self.discriminator, self.discriminator_lr)}

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        L, ab = split(batch["rgb"])
        conditions = self.conditions(L, batch)
        out, fake_features = self.generate(conditions)
        real_features = self.discriminator_input(L, ab)
        self.step_discriminator(real_features, [features.detach() for features in fake_features])
        for step in range(self.generator_steps):
            if step:
                out, fake_features = self.generate(conditions)
            self.step_generator(L, ab, out, fake_features)

    def generate(self, conditions: Conditions) -> tuple[Tensor, list[Tensor]]:
        """Run the net; return its output, and the input features of the discriminator for the decoded color."""
        out = self.model.run_net(conditions)
        ab = resize_color(self.model.predict(conditions, out), conditions.L)
        return out, self.discriminator_input(conditions.L, ab)

    def discriminator_input(self, L: Tensor, ab: Tensor) -> list[Tensor]:
        """Return the input features of the discriminator for L (B, 1, H, W) and ab (B, 2, H, W) in Lab units."""
        return self.discriminator.features(torch.cat([L, ab], dim=1))

    def step_discriminator(self, real: list[Tensor], fake: list[Tensor]) -> None:
        """Take one step of the discriminator.

        Args:
            real: input features of real images.
            fake: input features of generated images, detached from the generator.
        """
        real_logits, fake_logits = self.discriminator(real), self.discriminator(fake)
        loss = self.discriminator_loss(real_logits, fake_logits, self.real_label)
        self.step_optimizer("discriminator", loss)
        self.log_train(
            {
                "discriminator_loss": loss.detach(),
                "real_accuracy": (real_logits > self.real_threshold).float().mean(),
                "fake_accuracy": (fake_logits <= self.real_threshold).float().mean(),
            }
        )

    def step_generator(self, L: Tensor, ab: Tensor, out: Tensor, fake: list[Tensor]) -> None:
        """Take one step of the generator.

        Args:
            L: lightness (B, 1, H, W) in [0, 100].
            ab: true color (B, 2, H, W) in Lab units.
            out: output of the net.
            fake: input features of the discriminator for the decoded color.
        """
        generator_optimizer = self._optimizers()[0]
        with self.toggled_optimizer(generator_optimizer):  # no gradients for the discriminator's parameters
            adversarial = self.generator_loss(self.discriminator(fake))
            color = self.model.codec.loss(out, L, ab)
            loss = adversarial + self.color_weight * color
            self.step_optimizer("generator", loss)
        values = {"generator_loss": loss, "adversarial_loss": adversarial, "color_loss": color}
        self.log_train({key: value.detach() for key, value in values.items()})
