"""Where a model's weights are, and what to do when they are nowhere."""

from __future__ import annotations

import os
import socket
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from pipeline.encode.architecture import resolved
from pipeline.encode.settings import Encoding
from pipeline.errors import WeightsUnavailableError

__all__ = ["name_of", "unavailable", "weights_file", "weights_within_reach"]

_PROBE_SECONDS = 5.0


def weights_file(settings: Encoding) -> Path:
    """The file of the weights: the checkpoint, or what a cache holds of the tag, or what is downloaded into it now.

    A hub that cannot be reached is found out by one request of at most 5 s; open_clip alone would try for 46 s.

    Raises:
        WeightsUnavailableError: They are out of reach.
    """
    if settings.checkpoint is not None:
        path = resolved(settings.checkpoint)
        if not path.is_file():
            raise unavailable(settings, f"there is no file {str(path)!r} (working directory {str(Path.cwd())!r})")
        return path
    return _downloaded(settings)


def weights_within_reach(settings: Encoding) -> str:
    """Where the weights are, or that they can be downloaded; nothing is downloaded.

    Raises:
        WeightsUnavailableError: They are out of reach.
    """
    found = weights_file(settings) if settings.checkpoint is not None else _cached(settings)
    if found is not None:
        return str(found)
    problem = _network_problem()
    if problem is not None:
        raise unavailable(settings, f"no cache here holds them, and they cannot be downloaded: {problem}")
    return "not here yet; downloaded when they are first used"


def name_of(settings: Encoding) -> str:
    """The model for people: "ViT-B-32 (laion2b_s34b_b79k)", or with the checkpoint's file name."""
    weights = settings.pretrained if settings.checkpoint is None else Path(settings.checkpoint).name
    return f"{settings.model} ({weights})"


def unavailable(settings: Encoding, problem: str) -> WeightsUnavailableError:
    """The error that says what is wrong with the weights, and names the three ways out."""
    return WeightsUnavailableError(
        f"the weights of {name_of(settings)} cannot be used: {problem}\n"
        "Ways out:\n"
        f"  1. fill a cache where there is a network{_download_command(settings)}, bring the folder here and set"
        " encoder.cache_dir to it;\n"
        "  2. set encoder.checkpoint to a local file (.safetensors or .pt) of these weights;\n"
        "  3. try the small demo model that comes with momentseek: --config demo (it knows its sample videos only)."
    )


def _download_command(settings: Encoding) -> str:
    repository = None if settings.architecture else _hub_repository(settings)
    return f" (hf download {repository} --cache-dir FOLDER)" if repository else ""


def _hub_repository(settings: Encoding) -> str | None:
    return os.path.split(_hub_place(settings).get("hf_hub", ""))[0] or None


def _hub_place(settings: Encoding) -> dict[str, Any]:
    import open_clip

    place: dict[str, Any] = open_clip.get_pretrained_cfg(settings.model, settings.pretrained or "")
    return place


def _downloaded(settings: Encoding) -> Path:
    from open_clip.pretrained import download_pretrained

    cached = _cached(settings)
    if cached is not None:
        return cached
    problem = _network_problem()
    if problem is not None:
        raise unavailable(settings, f"no cache here holds them, and they cannot be downloaded: {problem}")
    try:
        return Path(download_pretrained(_hub_place(settings), cache_dir=settings.cache_dir))
    except (OSError, RuntimeError, ValueError) as error:
        raise unavailable(settings, f"the download failed: {error}") from error


def _cached(settings: Encoding) -> Path | None:
    from huggingface_hub import try_to_load_from_cache
    from open_clip.constants import HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME

    repository, file_name = os.path.split(_hub_place(settings).get("hf_hub", ""))
    for name in (file_name,) if file_name else (HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME):
        found = try_to_load_from_cache(repository, name, cache_dir=settings.cache_dir)
        if isinstance(found, str):
            return Path(found)
    return None


def _network_problem() -> str | None:
    """Why the model hub is out of reach; None where it answers, with whatever."""
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
        # A certificate that only urllib distrusts is left to the hub's own client.
        if isinstance(error.reason, socket.gaierror | TimeoutError | ConnectionError):
            return f"{constants.ENDPOINT} cannot be reached ({error.reason})"
        return None
    except OSError as error:
        return f"{constants.ENDPOINT} cannot be reached ({error})"
