"""The pretrained networks that metrics need: LPIPS, Inception and a classifier trained by the user."""

import logging
from collections.abc import Callable, Collection
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

log = logging.getLogger(__name__)

# What a metric may need: a network, or a classifier that knows the classes of the pictures.
Requirement = Literal["lpips", "lpips_vgg", "inception", "inception_torchvision", "classifier", "classifier_labels"]
DEFAULT: tuple[Requirement, ...] = ("lpips", "inception", "classifier", "classifier_labels")
NO_CLASSIFIER = "no --classifier was given: a checkpoint of experiments/judge.yaml"


class FeatureNetworks:
    """The networks that are available, and for the others the reason why not.

    Args:
        classifier: a `colorgan.systems.classifier.Classifier` of color pictures, or None.
        classes: names of the classes of the evaluated pictures.
        skip: metrics, of "lpips" and "fid", whose networks are not loaded. Their weights are downloaded on first use.
        device: where the networks run.
        needs: what the measured metrics need; other networks are not loaded.

    Attributes:
        missing: why each requirement that is not met is missing, in one line for the user.
    """

    def __init__(
        self,
        classifier: nn.Module | None,
        classes: Collection[str],
        skip: Collection[str],
        device: str = "cpu",
        needs: Collection[Requirement | None] = DEFAULT,
    ):
        self.missing: dict[Requirement, str] = {}
        self.device = device
        self.needs = needs
        self.classifier = classifier
        if classifier is None:
            self.missing["classifier"] = self.missing["classifier_labels"] = NO_CLASSIFIER
        elif unknown := sorted(set(classes) - set(classifier.names)):
            known = ", ".join(classifier.names)
            reason = f"the classifier knows no class '{unknown[0]}', but {known}: name sub-folders so"
            self.missing["classifier_labels"] = reason
        self.lpips = self._load("lpips", "lpips", skip, lambda: _load_lpips("alex"))
        self.lpips_vgg = self._load("lpips_vgg", "lpips", skip, lambda: _load_lpips("vgg"))
        self.inception = self._load("inception", "fid", skip, _load_inception)
        self.inception_torchvision = self._load("inception_torchvision", "fid", skip, _load_inception_torchvision)

    def lpips_distance(self, pixels: Tensor, truth: Tensor) -> Tensor:
        """Compute LPIPS (Zhang et al. 2018) of each pair of pictures, uint8 (B, 3, S, S) each -> (B,)."""
        return self._distance(self.lpips, pixels, truth)

    def lpips_vgg_distance(self, pixels: Tensor, truth: Tensor) -> Tensor:
        """Compute LPIPS with VGG-16 in place of AlexNet, uint8 (B, 3, S, S) each -> (B,)."""
        return self._distance(self.lpips_vgg, pixels, truth)

    @torch.inference_mode()
    def inception_features(self, pixels: Tensor) -> Tensor:
        """Compute the pooled features of Inception-v3, uint8 (B, 3, S, S) -> (B, 2048)."""
        return self.inception(pixels.to(self.device)).float().cpu()

    @torch.inference_mode()
    def torchvision_features(self, rgb: Tensor) -> Tensor:
        """Compute the pooled features of torchvision's Inception-v3, (B, 3, S, S) in [0, 1] -> (B, 2048).

        The network's `transform_input` takes its input to be normalized by ImageNet's mean and deviation, which it
        undoes. The published programs leave the normalization out, so that contrast is low; so does this.
        """
        resized = F.interpolate(rgb.to(self.device), (299, 299), mode="bilinear")
        return self.inception_torchvision(resized).float().cpu()

    @torch.inference_mode()
    def classify(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the classifier's features and logits, uint8 (B, 3, S, S) -> (B, F) and (B, classes).

        The pictures are resized to the size that the classifier was trained at.
        """
        side = self.classifier.experiment.data.size
        rgb = pixels.to(self.device).float() / 255
        resized = F.interpolate(rgb, (side, side), mode="bicubic", antialias=True).clamp(0, 1)
        features, logits = self.classifier.features_and_logits(resized)
        return features.float().cpu(), logits.cpu()

    def class_indices(self, labels: list[str]) -> Tensor:
        """Look up where names of classes stand among the classifier's logits, (B,)."""
        return torch.tensor([self.classifier.names.index(name) for name in labels])

    @torch.inference_mode()
    def _distance(self, network: nn.Module, pixels: Tensor, truth: Tensor) -> Tensor:
        network.reset()
        network.update(*(x.to(self.device).float() / 255 for x in (pixels, truth)))
        return network.compute().reshape(-1).cpu()

    def _load(
        self, name: Requirement, option: str, skip: Collection[str], load: Callable[[], nn.Module]
    ) -> nn.Module | None:
        if name not in self.needs:
            return None
        if option in skip:
            self.missing[name] = f"left out by --skip {option}"
            return None
        try:
            return load().to(self.device).eval()
        except Exception as error:  # the libraries raise errors of many types where there is no internet, or a proxy
            reason = f"its network's weights cannot be had here ({type(error).__name__}: no internet?)"
            self.missing[name] = reason
            log.warning("%s: %s; --skip %s does not try", option, reason, option)
            return None


def _load_lpips(net: str) -> nn.Module:
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    return LearnedPerceptualImagePatchSimilarity(net_type=net, reduction="none", normalize=True)


def _load_inception() -> nn.Module:
    from torchmetrics.image.fid import FrechetInceptionDistance

    return FrechetInceptionDistance(feature=2048).inception


def _load_inception_torchvision() -> nn.Module:
    from torchvision import models

    network = models.inception_v3(weights="IMAGENET1K_V1", transform_input=True)
    network.fc = nn.Identity()  # the features are its input
    return network
