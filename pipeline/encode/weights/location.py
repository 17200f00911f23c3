"""Locating and downloading of a model's weights, with remedies if they are missing."""

from __future__ import annotations

import os
import socket
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.encode.architecture import resolved
from pipeline.encode.model_tables import model_tables
from pipeline.encode.settings import Encoding
from pipeline.errors import WeightsUnavailableError

__all__ = ["name_of", "unavailable", "weights_file", "weights_within_reach"]

_PROBE_SECONDS = 5.0
# open_clip's `HF_SAFE_WEIGHTS_NAME` and `HF_WEIGHTS_NAME`: used for repositories whose file its table does not name.
_DEFAULT_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


def weights_file(settings: Encoding) -> Path:
    """Return the weights file: the checkpoint, or the cached file of the tag, downloaded if missing.

    An unreachable hub is detected with one request of at most 5 s; open_clip itself would retry for 46 s.

    Raises:
        WeightsUnavailableError: The weights are unavailable.
    """
    if settings.checkpoint is not None:
        path = resolved(settings.checkpoint)
        if not path.is_file():
            raise unavailable(settings, f"there is no file {str(path)!r} (working directory {str(Path.cwd())!r})")
        return path
    return _downloaded(settings)


def weights_within_reach(settings: Encoding) -> str:
    """Describe where the weights are, or that they can be downloaded, without downloading them.

    Raises:
        WeightsUnavailableError: The weights are unavailable.
    """
    found = weights_file(settings) if settings.checkpoint is not None else _cached(settings)
    if found is not None:
        return str(found)
    problem = _network_problem()
    if problem is not None:
        raise unavailable(settings, f"they are not in the cache and cannot be downloaded: {problem}")
    return "not here yet; downloaded when they are first used"


def name_of(settings: Encoding) -> str:
    """Format the model's name: "ViT-B-32 (laion2b_s34b_b79k)", or with the checkpoint's file name."""
    weights = settings.pretrained if settings.checkpoint is None else Path(settings.checkpoint).name
    return f"{settings.model} ({weights})"


def unavailable(settings: Encoding, problem: str) -> WeightsUnavailableError:
    """Make the error for unavailable weights, with three remedies."""
    return WeightsUnavailableError(
        f"the weights of {name_of(settings)} cannot be used: {problem}\n"
        "Remedies:\n"
        f"  1. fill a cache on a machine with a network{_download_command(settings)}, copy the folder here and set"
        " encoder.cache_dir to it;\n"
        "  2. set encoder.checkpoint to a local file (.safetensors or .pt) of these weights;\n"
        "  3. try the small demo model that comes with momentseek: --config demo (it knows its sample videos only)."
    )


def _download_command(settings: Encoding) -> str:
    repository = None if settings.architecture else _hub_files(settings)[0]
    return f" (hf download {repository} --cache-dir FOLDER)" if repository else ""


def _hub_entry(settings: Encoding) -> dict[str, Any]:
    return model_tables().get_pretrained_cfg(settings.model, settings.pretrained or "")


def _downloaded(settings: Encoding) -> Path:
    cached = _cached(settings)
    if cached is not None:
        return cached
    problem = _network_problem()
    if problem is not None:
        raise unavailable(settings, f"they are not in the cache and cannot be downloaded: {problem}")
    repository, names = _hub_files(settings)
    if not repository:
        raise unavailable(settings, "open_clip names no repository of the model hub for them")
    return _from_hub(settings, repository, names)


def _from_hub(settings: Encoding, repository: str, names: Sequence[str]) -> Path:
    """Download the first of these files that the repository has; an interrupted download is continued.

    open_clip's own download treats every failure of the first file as its absence, and then reports the second file.
    """
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import GatedRepoError, RemoteEntryNotFoundError, RepositoryNotFoundError

    for name in names:
        try:
            return Path(hf_hub_download(repository, name, cache_dir=settings.cache_dir))
        except RemoteEntryNotFoundError:
            continue
        except GatedRepoError as error:
            problem = (
                f"{constants.ENDPOINT}/{repository} asks for an account that has accepted its terms (hf auth login)"
            )
            raise unavailable(settings, problem) from error
        except RepositoryNotFoundError as error:
            problem = f"{constants.ENDPOINT} has no repository {repository!r}, or not for you (hf auth login)"
            raise unavailable(settings, problem) from error
        except Exception as error:  # the client passes on any exception of its HTTP and storage libraries
            cause = " ".join(str(error).split()) or type(error).__name__
            raise unavailable(settings, f"the download of {repository}/{name} failed: {cause}") from error
    raise unavailable(settings, f"{constants.ENDPOINT}/{repository} has no file {' or '.join(names)}")


def _cached(settings: Encoding) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    repository, names = _hub_files(settings)
    for name in names if repository else ():
        found = try_to_load_from_cache(repository, name, cache_dir=settings.cache_dir)
        if isinstance(found, str):
            return Path(found)
    return None


def _hub_files(settings: Encoding) -> tuple[str, tuple[str, ...]]:
    """Return the repository of the weights ("" if there is none) and their possible file names, best first."""
    repository, name = os.path.split(_hub_entry(settings).get("hf_hub", ""))
    if not name:
        return repository, _DEFAULT_FILES
    converted = Path(name).with_suffix(".safetensors").name
    return repository, (converted, name) if name.endswith((".bin", ".pth")) else (name,)


def _network_problem() -> str | None:
    """Explain why the model hub cannot be reached; None if it responds in any way."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set, so nothing is downloaded"
    request = urllib.request.Request(constants.ENDPOINT, method="HEAD")  # noqa: S310 - the hub's own address
    try:
        with urllib.request.urlopen(request, timeout=_PROBE_SECONDS):  # noqa: S310
            return None
    except urllib.error.HTTPError:
        return None
    except urllib.error.URLError as error:
        # Other errors, such as a certificate that only urllib rejects, are left to the hub's own client.
        if isinstance(error.reason, socket.gaierror | TimeoutError | ConnectionError):
            return f"{constants.ENDPOINT} cannot be reached ({error.reason})"
        return None
    except OSError as error:
        return f"{constants.ENDPOINT} cannot be reached ({error})"
