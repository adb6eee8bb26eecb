"""Files of the Hugging Face hub, by huggingface_hub's cache: what was fetched once is there without a network."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from colorgan.errors import UserError

FILE = "model.safetensors"  # of a repository, as `colorgan export` writes it
ADDRESS = re.compile(r"hf://([\w.-]+/[\w.-]+)(?:@([^@]+))?")


def fetch(address: str) -> Path:
    """Return the file of a model on the hub.

    Args:
        address: "hf://owner/name", or "hf://owner/name@revision" with a branch, a tag or a commit.

    Raises:
        UserError: no such model, or no network and no copy in the cache.
    """
    match = ADDRESS.fullmatch(address)
    if not match:
        raise UserError(f"{address}: write hf://owner/name, or hf://owner/name@revision")
    return download(match[1], match[2])


def download(repo: str, revision: str | None = None, **options: Any) -> Path:
    """Return the file of a model on the hub.

    Args:
        repo: "owner/name".
        revision: a branch, a tag or a commit; default: the main branch.
        options: of `huggingface_hub.hf_hub_download`.

    Raises:
        UserError: as `fetch`.
    """
    from huggingface_hub import hf_hub_download

    name = f"hf://{repo}@{revision}" if revision else f"hf://{repo}"
    with errors_in_one_line(name):
        if not options.get("local_files_only"):
            options["local_files_only"] = not _answers(repo, revision, options.get("token"))
        return Path(hf_hub_download(repo, FILE, revision=revision, **options))


def _answers(repo: str, revision: str | None, token: str | bool | None) -> bool:
    """Return whether the hub answers: without a network, `hf_hub_download` tries for half a minute, line by line."""
    from huggingface_hub import errors, get_hf_file_metadata, hf_hub_url

    try:
        get_hf_file_metadata(hf_hub_url(repo, FILE, revision=revision), token=token)
    except errors.HfHubHTTPError as error:  # below 500, `hf_hub_download` gets it too, and says what it means
        return error.response.status_code < 500
    except (errors.HTTPError, OSError):
        return False
    return True


@contextmanager
def errors_in_one_line(name: str) -> Iterator[None]:
    """Turn what the hub's client raises into a UserError that begins with `name`."""
    from huggingface_hub import constants, errors

    try:
        yield
    except errors.GatedRepoError:
        raise UserError(f"{name}: gated: ask for access on its page, then log in with `hf auth login`") from None
    except errors.RepositoryNotFoundError:
        raise UserError(f"{name}: no such model, or a private one: check the name, or `hf auth login`") from None
    except errors.RevisionNotFoundError:
        raise UserError(f"{name}: the model has no such branch, tag or commit") from None
    except errors.LocalEntryNotFoundError:
        where = constants.HF_HUB_CACHE
        raise UserError(f"{name}: the hub cannot be reached, and there is no copy in its cache {where}") from None
    except errors.EntryNotFoundError:
        raise UserError(f"{name}: holds no {FILE}: it is no model of colorgan") from None
    except (errors.HTTPError, OSError, ValueError, RuntimeError) as error:  # of names, and of an upload that broke off
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(f"{name}: {reason}") from None
