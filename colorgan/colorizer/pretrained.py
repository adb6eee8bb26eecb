"""Colorizers on the Hugging Face hub and in folders: `from_pretrained`, `save_pretrained` and `push_to_hub`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import safetensors.torch
import torch
from huggingface_hub import ModelHubMixin, constants

from colorgan import hub
from colorgan.codecs.distribution import Distribution
from colorgan.colorizer import card, reading
from colorgan.errors import UserError
from colorgan.facts import version_of

if TYPE_CHECKING:
    from huggingface_hub import ModelCard

FILES = (hub.FILE, constants.CONFIG_NAME, constants.REPOCARD_NAME)  # of a model in a folder


class Pretrained(ModelHubMixin, library_name=card.LIBRARY, pipeline_tag=card.PIPELINE, tags=list(card.TAGS)):
    """The part of `Colorizer` that reads it from checkpoints and writes it to the hub.

    A model is one file of safetensors, as `colorgan export` writes it, a card and, for people, the experiment as
    `config.json`, which is never read.

    Attributes:
        experiment: of the checkpoint that it was read from, without paths; None of one that was built of parts.
        metrics: of that checkpoint, as "val/psnr": 23.1.
    """

    experiment: dict[str, Any] | None = None
    metrics: dict[str, float] | None = None

    @classmethod
    def of(cls, content: dict[str, Any], path: str | Path) -> Self:
        """Build the averaged model of what `reading.read` returned; `path` names the file in errors.

        Raises:
            UserError: it is no colorizer, or one that this version cannot build.
        """
        colorizer = cls(*reading.parts_of(content, path))
        try:
            colorizer.load_state_dict(reading.averaged_weights(content))
        except RuntimeError:
            raise UserError(f"{path}: its weights do not fit its experiment; was it made by another version?") from None
        colorizer.experiment = reading.shareable(content["experiment"])
        colorizer.metrics = reading.metrics_of(content)
        return colorizer

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | Path,
        *,
        revision: str | None = None,
        device: str | torch.device = "cpu",
        **options: Any,
    ) -> Self:
        """Load a model of the hub, or of a folder that `save_pretrained` wrote.

        Args:
            pretrained_model_name_or_path: "owner/name", or the path of the folder.
            revision: a branch, a tag or a commit; default: the main branch.
            device: where it colors, as in "cuda".
            options: of `huggingface_hub.hf_hub_download`: token, cache_dir, force_download, local_files_only.

        Returns:
            the averaged model, in evaluation mode.

        Raises:
            UserError: no such model; no network and no copy in the cache; not a model of colorgan.
        """
        name = str(pretrained_model_name_or_path)
        file = Path(name) / hub.FILE if Path(name).is_dir() else hub.download(name, revision, **options)
        return cls.of(reading.read(file), file).to(device).eval()

    def push_to_hub(self, repo_id: str, *, license: str | None = None, **options: Any) -> str:
        """Write the model and its card to the hub, in one commit; the repository is created if there is none.

        Args:
            repo_id: "owner/name".
            license: of the weights, by the hub's identifiers such as "cc-by-4.0", for the card.
            options: of `huggingface_hub.ModelHubMixin.push_to_hub`: private, token, branch, create_pr, commit_message.

        Returns:
            the address of the commit.

        Raises:
            UserError: the model was not read from a checkpoint; the hub refuses it or cannot be reached.
        """
        self._require_experiment()
        options["model_card_kwargs"] = {"repo_id": repo_id, "license": license}
        with hub.errors_in_one_line(f"hf://{repo_id}"):
            return super().push_to_hub(repo_id, **options)

    def save_pretrained(self, save_directory: str | Path, **options: Any) -> str | None:
        """Write the model, its card and its experiment to a folder, which `from_pretrained` reads.

        Args:
            save_directory: the folder; it is made if there is none.
            options: of `huggingface_hub.ModelHubMixin.save_pretrained`.

        Returns:
            the address of the commit with `push_to_hub=True`, else None.

        Raises:
            UserError: the model was not read from a checkpoint; a file of these names is there already.
        """
        self._require_experiment()
        for file in (Path(save_directory) / name for name in FILES):
            if file.exists():  # of which ModelHubMixin would overwrite two and keep the card
                raise UserError(f"{file}: exists already; choose another folder or remove it")
        return super().save_pretrained(save_directory, **options)

    def generate_model_card(self, repo_id: str = "OWNER/NAME", license: str | None = None) -> "ModelCard":
        """Return the card for the hub; `push_to_hub` says the arguments."""
        return card.model_card(self.size, self._require_experiment(), self.metrics or {}, repo_id, license)

    def _save_pretrained(self, save_directory: Path) -> None:
        experiment = self._require_experiment()
        version = version_of("colorgan") or "unknown"
        metadata = card.describe(self.size, experiment, self.metrics or {}, version, None, None)
        write_safetensors(self, save_directory / hub.FILE, metadata, torch.float32)
        config = {"colorgan": version, "experiment": experiment, "metrics": self.metrics or {}}
        (save_directory / constants.CONFIG_NAME).write_text(json.dumps(config, indent=2), encoding="utf-8")

    def _require_experiment(self) -> dict[str, Any]:
        """Return the experiment, with the decoding that is chosen now; raise UserError if there is none."""
        if self.experiment is None:
            raise UserError("this model was built of parts, and knows no experiment: load it from a checkpoint first")
        if not isinstance(self.codec, Distribution):
            return self.experiment
        return {**self.experiment, "codec": {**self.experiment["codec"], "decoding": self.codec.decoding}}


def write_safetensors(
    model: torch.nn.Module, path: Path, metadata: dict[str, str], dtype: torch.dtype = torch.float32
) -> None:
    """Write the weights of a colorizer as safetensors.

    Args:
        model: the colorizer.
        path: of the file.
        metadata: strings, as of `card.describe`.
        dtype: of the stored weights.
    """
    state = {
        key: (value.to(dtype) if value.is_floating_point() else value).clone(memory_format=torch.contiguous_format)
        for key, value in model.state_dict().items()
    }
    safetensors.torch.save_file(state, path, metadata)
