"""The pretrained networks that metrics need: LPIPS, Inception and a classifier trained by the user."""

import logging
from collections.abc import Callable, Collection
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

log = logging.getLogger(__name__)

# What a metric may need: a network, or a classifier that knows the classes of the pictures.
Requirement = Literal["lpips", "inception", "classifier", "classifier_labels"]
NO_CLASSIFIER = "no --classifier was given: a checkpoint of experiments/judge.yaml"


class FeatureNetworks:
    """The networks that are available, and for the others the reason why not.

    Args:
        classifier: a `colorgan.systems.classifier.Classifier` of color pictures, or None.
        classes: names of the classes of the evaluated pictures.
        skip: metrics, of "lpips" and "fid", whose networks are not loaded. Their weights are downloaded on first use.
        device: where the networks run.

    Attributes:
        missing: why each requirement that is not met is missing, in one line for the user.
    """

    def __init__(
        self, classifier: nn.Module | None, classes: Collection[str], skip: Collection[str], device: str = "cpu"
    ):
        self.missing: dict[Requirement, str] = {}
        self.device = device
        self.classifier = classifier
        if classifier is None:
            self.missing["classifier"] = self.missing["classifier_labels"] = NO_CLASSIFIER
        elif unknown := sorted(set(classes) - set(classifier.names)):
            known = ", ".join(classifier.names)
            reason = f"the classifier knows no class '{unknown[0]}', but {known}: name sub-folders so"
            self.missing["classifier_labels"] = reason
        self.lpips = self._load("lpips", "lpips", skip, _load_lpips)
        self.inception = self._load("inception", "fid", skip, _load_inception)

    @torch.inference_mode()
    def lpips_distance(self, pixels: Tensor, truth: Tensor) -> Tensor:
        """Compute LPIPS (Zhang et al. 2018) of each pair of pictures, uint8 (B, 3, S, S) each -> (B,)."""
        self.lpips.reset()
        self.lpips.update(*(x.to(self.device).float() / 255 for x in (pixels, truth)))
        return self.lpips.compute().reshape(-1).cpu()

    @torch.inference_mode()
    def inception_features(self, pixels: Tensor) -> Tensor:
        """Compute the pooled features of Inception-v3, uint8 (B, 3, S, S) -> (B, 2048)."""
        return self.inception(pixels.to(self.device)).float().cpu()

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

    def _load(
        self, name: Requirement, option: str, skip: Collection[str], load: Callable[[], nn.Module]
    ) -> nn.Module | None:
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


def _load_lpips() -> nn.Module:
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    return LearnedPerceptualImagePatchSimilarity(net_type="alex", reduction="none", normalize=True)


def _load_inception() -> nn.Module:
    from torchmetrics.image.fid import FrechetInceptionDistance

    return FrechetInceptionDistance(feature=2048).inception
