"""Fingerprints: short identities of settings and versions that change the output of a stage."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pipeline.config import Settings

__all__ = ["fingerprint"]


def fingerprint(*parts: Settings | Mapping[str, Any] | str) -> str:
    """Hash the settings and versions that change a stage's output: 12 hex digits of a SHA-256.

    Settings count by their class's `fingerprint_name` and all their fields, defaults included, in a canonical JSON
    form.
    """
    canonical = [
        {_fingerprint_name(type(part)): part.model_dump(mode="json")} if isinstance(part, Settings) else part
        for part in parts
    ]
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _fingerprint_name(settings: type[Settings]) -> str:
    """Return a class's own name in fingerprints; an inherited one is ignored, since a subclass behaves differently."""
    return str(vars(settings).get("fingerprint_name", settings.__name__))
