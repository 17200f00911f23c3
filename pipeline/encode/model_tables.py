"""open_clip's tables of networks and published weights, read without importing torch.

Importing open_clip imports torch and torchvision, which takes about five seconds of processor time. Commands that only
look up a name need neither.
"""

from __future__ import annotations

import builtins
import copy
import json
import sys
import types
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from pipeline.errors import ConfigError
from pipeline.optional_packages import require

__all__ = ["ModelTables", "model_tables"]

_NEEDED = ("get_model_config", "list_models", "get_pretrained_cfg", "list_pretrained_tags_by_model")
_REQUIRED_KEYS = frozenset({"embed_dim", "vision_cfg", "text_cfg"})
_PACKAGE = "open_clip"
# `pretrained.py` imports this to read weights, and works without it.
_TORCH = "safetensors.torch"


class ModelTables(Protocol):
    """Functions of open_clip that look up names."""

    def get_model_config(self, model_name: str) -> dict[str, Any] | None:
        """Return the configuration of a network; None for an unknown name."""

    def list_models(self) -> list[str]:
        """Return the names of all networks."""

    def get_pretrained_cfg(self, model: str, tag: str) -> dict[str, Any]:
        """Return the location and preprocessing of published weights; empty if there are none."""

    def list_pretrained_tags_by_model(self, model: str) -> list[str]:
        """Return the tags of a network's published weights."""


def model_tables() -> ModelTables:
    """Return open_clip itself if it is already imported, else only its tables."""
    loaded: Any = sys.modules.get(_PACKAGE)
    if loaded is not None and all(hasattr(loaded, name) for name in _NEEDED):
        tables: ModelTables = loaded
        return tables
    return _light_tables()


class _LightTables:
    """The tables of an open_clip that is not imported."""

    def __init__(self, networks: Mapping[str, dict[str, Any]], pretrained: Any) -> None:
        self._networks = networks
        self.get_pretrained_cfg = pretrained.get_pretrained_cfg
        self.list_pretrained_tags_by_model = pretrained.list_pretrained_tags_by_model

    def get_model_config(self, model_name: str) -> dict[str, Any] | None:
        return copy.deepcopy(self._networks.get(model_name))

    def list_models(self) -> list[str]:
        return list(self._networks)


@cache
def _light_tables() -> ModelTables:
    folder = _folder()
    files = sorted((folder / "model_configs").glob("*.json"))
    networks = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}
    known = {name: config for name, config in networks.items() if config.keys() >= _REQUIRED_KEYS}
    return _LightTables(known, _module_without_torch(folder))


def _folder() -> Path:
    require("looking up a model", _PACKAGE)
    found = find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise ConfigError("open_clip is not installed as a package; install it again: pip install open_clip_torch")
    return Path(next(iter(found.submodule_search_locations)))


def _module_without_torch(folder: Path) -> types.ModuleType:
    """Run open_clip's `pretrained.py` under another package name, so that open_clip itself is not imported."""
    package = types.ModuleType(f"{__name__}.{_PACKAGE}")
    package.__path__ = [str(folder)]
    sys.modules[package.__name__] = package
    path = folder / "pretrained.py"
    module = types.ModuleType(f"{package.__name__}.pretrained")
    module.__package__, module.__file__ = package.__name__, str(path)

    def without_torch(name: str, *rest: Any) -> Any:
        if name == _TORCH:
            raise ImportError(f"{name} is left out")
        return __import__(name, *rest)

    module.__dict__["__builtins__"] = {**vars(builtins), "__import__": without_torch}
    exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)  # noqa: S102 - the installed package's own code
    return module
