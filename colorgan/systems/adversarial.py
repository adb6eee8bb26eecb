"""Training as a conditional GAN, whose discriminator sees lightness and color together."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from colorgan.color import split
from colorgan.colorizer.colorizer import Colorizer, Conditions, resize_color
from colorgan.losses import ADVERSARIAL, finite_difference_penalty
from colorgan.systems.colorization import Colorization

PENALTY_STEP = 0.1  # relative to the deviation of the features; logits in bfloat16 would not tell smaller ones


@dataclass
class Part:
    """A part of a batch.

    Args:
        share: of the batch.
        ab: (B, 2, H, W) in Lab units, the true color.
        conditions: what the net is given.
        real: the discriminator's features of the true color.
    """

    share: float
    ab: Tensor
    conditions: Conditions
    real: list[Tensor]


@dataclass
class Generated:
    """What the generator makes of a part: the output of the net, and the discriminator's features of its color."""

    out: Tensor
    features: list[Tensor]


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
        color_first: share of the run in [0, 1) that begins it with the color loss alone, while the discriminator rests.
        real_label: target of the discriminator for real images, in (0, 1]; below 1 for one-sided label smoothing.
        discriminator_lr: learning rate of the discriminator as a multiple of `optim.lr`.
        generator_steps: steps of the generator per step of the discriminator.
        gradient_penalty: weight of R1 and R2 of the discriminator's features, by finite differences; 0: none.
        ema: decay of the averaged generator.
        hint_share: share of the training pictures that get color hints, for nets that take them.

    Raises:
        ValueError: an argument is out of range, or the arguments exclude each other.
    """

    default_monitor = "val/color_distance"  # the ab error is smallest where colors are dull

    def __init__(
        self,
        colorizer: Colorizer,
        discriminator: nn.Module,
        experiment: DictConfig,
        loss: Literal["nonsaturating", "least_squares", "hinge", "relativistic"] = "nonsaturating",
        color_weight: float = 100.0,
        color_first: float = 0.0,
        real_label: float = 1.0,
        discriminator_lr: float = 1.0,
        generator_steps: int = 1,
        gradient_penalty: float = 0.0,
        ema: float = 0.999,
        hint_share: float = 0.0,
    ):
        super().__init__(colorizer, experiment, ema, hint_share)
        if loss in ("hinge", "relativistic") and real_label != 1:
            raise ValueError(f"the {loss} loss has no labels to smooth: set system.real_label=1 or another system.loss")
        if not 0 <= color_first < 1:
            raise ValueError(f"color_first={color_first}: a share of the run, from 0 to below 1")
        if gradient_penalty < 0:
            raise ValueError(f"gradient_penalty={gradient_penalty}: a weight, 0 or above")
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
        self.is_relativistic = loss == "relativistic"
        self.real_threshold = 0.5 if loss == "least_squares" else 0.0  # larger logits mean "real"
        self.gradient_penalty = gradient_penalty
        self.color_weight = color_weight
        self.color_first = color_first
        self.real_label = real_label
        self.discriminator_lr = discriminator_lr
        self.generator_steps = generator_steps

    def networks(self) -> dict[str, tuple[nn.Module, float]]:
        return super().networks() | {"discriminator": (self.discriminator, self.discriminator_lr)}

    def train_batch(self, batch: dict[str, Tensor]) -> None:
        if self.color_first and self.progress() < self.color_first:
            losses = [partial(self.color_part, *part) for part in self.split_batch(batch)]
            self.step_optimizer("generator", losses)
            return
        parts = [self.make_part(*part) for part in self.split_batch(batch)]
        # One pass of the generator serves the discriminator and the generator's first step. The graphs of several
        # parts would need the memory of the whole batch, so these make their passes anew.
        single = len(parts) == 1
        with torch.set_grad_enabled(single):
            generated = [self.generate(part) for part in parts]
        self.step_discriminator(parts, [[x.detach() for x in made.features] for made in generated])
        for step in range(self.generator_steps):
            self.step_generator(parts, generated if single and not step else [None] * len(parts))

    def color_part(self, chunk: dict[str, Tensor], share: float) -> Tensor:
        """Return the color loss of a part, times its share of the batch."""
        L, ab = split(chunk["rgb"])
        conditions = self.conditions(L, ab, chunk)
        out = self.call("generator", self.model.run_net, conditions)
        color = self.model.codec.loss(out, L, ab)
        self.log_train({"color_loss": color.detach()}, share)
        return share * color

    def make_part(self, chunk: dict[str, Tensor], share: float) -> Part:
        """Prepare a part of a batch."""
        L, ab = split(chunk["rgb"])
        return Part(share, ab, self.conditions(L, ab, chunk), self.discriminator_input(L, ab))

    def generate(self, part: Part) -> Generated:
        """Run the net, and give the decoded color to the discriminator's features."""
        out = self.call("generator", self.model.run_net, part.conditions)
        ab = resize_color(self.model.predict(part.conditions, out), part.conditions.L)
        return Generated(out, self.discriminator_input(part.conditions.L, ab))

    def discriminator_input(self, L: Tensor, ab: Tensor) -> list[Tensor]:
        """Return the input features of the discriminator for L (B, 1, H, W) and ab (B, 2, H, W) in Lab units."""
        return self.discriminator.features(torch.cat([L, ab], dim=1))

    def step_discriminator(self, parts: list[Part], fakes: list[list[Tensor]]) -> None:
        """Take one step of the discriminator.

        Args:
            parts: of the batch.
            fakes: input features of the generated images of each part, detached from the generator.
        """
        losses = [partial(self.discriminator_part, part, fake) for part, fake in zip(parts, fakes, strict=True)]
        self.step_optimizer("discriminator", losses)

    def discriminator_part(self, part: Part, fake: list[Tensor]) -> Tensor:
        """Return the discriminator's loss of a part, times its share of the batch."""
        inputs = [part.real, fake]
        if self.gradient_penalty:
            inputs += [_perturb(part.real), _perturb(fake)]
        real_logits, fake_logits, *perturbed = self.call("discriminator", self.judge, *inputs)
        loss = self.discriminator_loss(real_logits, fake_logits, self.real_label)
        # relativistic logits mean something in comparison alone
        thresholds = (fake_logits, real_logits) if self.is_relativistic else (self.real_threshold, self.real_threshold)
        values = {
            "discriminator_loss": loss.detach(),
            "real_accuracy": (real_logits > thresholds[0]).float().mean(),
            "fake_accuracy": (fake_logits <= thresholds[1]).float().mean(),
        }
        for logits, moved in zip((real_logits, fake_logits), perturbed, strict=False):
            penalty = finite_difference_penalty(logits, moved, PENALTY_STEP)
            loss = loss + self.gradient_penalty * penalty
            values["gradient_penalty"] = values.get("gradient_penalty", 0.0) + penalty.detach()
        self.log_train(values, part.share)
        return part.share * loss

    def judge(self, *inputs: list[Tensor]) -> list[Tensor]:
        """Return the discriminator's logits for the features of several sets of images."""
        return [self.discriminator(features) for features in inputs]

    def step_generator(self, parts: list[Part], generated: list[Generated | None]) -> None:
        """Take one step of the generator.

        Args:
            parts: of the batch.
            generated: of each part; None to make it anew.
        """
        losses = [partial(self.generator_part, part, made) for part, made in zip(parts, generated, strict=True)]
        with self.toggled_optimizer(self._optimizers()[0]):  # no gradients for the discriminator's parameters
            self.step_optimizer("generator", losses)

    def generator_part(self, part: Part, made: Generated | None) -> Tensor:
        """Return the generator's loss of a part, times its share of the batch."""
        made = made or self.generate(part)
        logits = [self.discriminator(made.features)]
        if self.is_relativistic:
            with torch.no_grad():
                logits.append(self.discriminator(part.real))
        adversarial = self.generator_loss(*logits)
        color = self.model.codec.loss(made.out, part.conditions.L, part.ab)
        loss = adversarial + self.color_weight * color
        values = {"generator_loss": loss, "adversarial_loss": adversarial, "color_loss": color}
        self.log_train({key: value.detach() for key, value in values.items()}, part.share)
        return part.share * loss


def _perturb(features: list[Tensor]) -> list[Tensor]:
    """Add normal noise to each feature map, whose deviation is `PENALTY_STEP` of that of the map."""
    return [x + PENALTY_STEP * x.std() * torch.randn_like(x) for x in features]
