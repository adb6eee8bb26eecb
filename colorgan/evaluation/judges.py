"""Networks that judge colored pictures: LPIPS, Inception's features, and a classifier of ours."""

import logging

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

from colorgan.metrics import hits
from colorgan.systems.classifier import Classifier

log = logging.getLogger(__name__)
NO_CLASSIFIER = "no --classifier was given: a checkpoint of experiments/judge.yaml"


class Judges:
    """The networks that are there; `why` says of each metric that cannot be had, what is missing.

    Args:
        classifier: sees color; None: no metric needs it.
        classes: the names of the true pictures' classes.
        skip: of "lpips" and "fid", those whose networks are not wanted: their weights are fetched from the internet
            where they are not on the disk yet.
        device: where the networks compute.
    """

    def __init__(self, classifier: Classifier | None, classes: list[str], skip: frozenset[str], device: str = "cpu"):
        self.why: dict[str, str] = {}
        self.device = device
        self.classifier = classifier
        if classifier is None:
            self.why |= dict.fromkeys(("fid_classifier", "kid_classifier", "top1"), NO_CLASSIFIER)
        elif strange := sorted(set(classes) - set(classifier.names)):
            known = ", ".join(classifier.names)
            self.why["top1"] = f"the classifier knows no class '{strange[0]}', but {known}: name sub-folders so"
        self.lpips = self._fetch("lpips", skip, _lpips)
        self.inception = self._fetch("fid", skip, _inception)
        if self.inception is None:
            self.why["kid"] = self.why["fid"]

    @torch.inference_mode()
    def compare(self, pictures: Tensor, truth: Tensor) -> dict[str, Tensor]:
        """One value a picture against the truth; uint8 (B, 3, S, S) both."""
        if self.lpips is None:
            return {}
        self.lpips.reset()
        self.lpips.update(*(x.to(self.device).float() / 255 for x in (pictures, truth)))
        return {"lpips": self.lpips.compute().reshape(-1).cpu()}

    @torch.inference_mode()
    def look(self, pictures: Tensor, labels: list[str]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """What the networks see in pictures uint8 (B, 3, S, S), whose true classes are named `labels`.

        Returns:
            one value a picture, (B,), and what each Fréchet distance compares, (B, F).
        """
        values: dict[str, Tensor] = {}
        features: dict[str, Tensor] = {}
        if self.inception is not None:
            features["fid"] = self.inception(pictures.to(self.device)).float().cpu()
        if self.classifier is not None:
            found, logits = self.classifier.look(self._small(pictures))
            features["fid_classifier"] = found.float().cpu()
            if "top1" not in self.why:
                label = torch.tensor([self.classifier.names.index(name) for name in labels], device=self.device)
                values["top1"] = 100 * hits(logits, label, 1).cpu()
        return values, features

    def _small(self, pictures: Tensor) -> Tensor:
        """As the classifier was trained to see them, float in [0, 1]."""
        side = self.classifier.experiment.data.size
        rgb = pictures.to(self.device).float() / 255
        return F.interpolate(rgb, (side, side), mode="bicubic", antialias=True).clamp(0, 1)

    def _fetch(self, metric: str, skip: frozenset[str], make: type) -> torch.nn.Module | None:
        if metric in skip:
            self.why[metric] = f"left out by --skip {metric}"
            return None
        try:
            return make().to(self.device).eval()
        except Exception as error:  # no network, and whatever a proxy brings the libraries to raise
            self.why[metric] = f"its network's weights cannot be had here ({type(error).__name__}: no internet?)"
            log.warning("%s: %s; --skip %s does not try", metric, self.why[metric], metric)
            return None


def _lpips() -> torch.nn.Module:
    return LearnedPerceptualImagePatchSimilarity(net_type="alex", reduction="none", normalize=True)


def _inception() -> torch.nn.Module:
    return FrechetInceptionDistance(feature=2048).inception
