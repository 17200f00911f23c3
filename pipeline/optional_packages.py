"""Packages that only some commands need, and the extra that installs each.

The base installation answers questions about a library that has its exported text tower, and lists, verifies and
maintains libraries. The dependencies and extras are those of pyproject.toml.
"""

from __future__ import annotations

from importlib.util import find_spec

from pipeline.errors import MissingPackageError

__all__ = ["EXTRAS", "is_installed", "missing_package", "require"]

EXTRAS: dict[str, tuple[str, ...]] = {
    "index": (
        "av",
        "cv2",
        "decord",
        "onnx",
        "onnxscript",
        "open_clip",
        "ray",
        "safetensors",
        "scenedetect",
        "timm",
        "torch",
        "torchvision",
    ),
    "analysis": ("scipy", "sklearn"),
    "serve": ("fastapi", "jinja2", "prometheus_client", "starlette", "uvicorn"),
    "mcp": ("mcp",),
    "siglip": ("transformers",),
    "world": ("skia",),
    "benchmarks": ("matplotlib",),
}
"""The extras, and the modules that each installs."""

_EXTRA_OF = {module: extra for extra, modules in EXTRAS.items() for module in modules}


def require(purpose: str, *modules: str) -> None:
    """Check that optional packages are installed, without importing them.

    Args:
        purpose: What needs them, as the subject of a sentence, such as "decoding videos".
        modules: Names of the packages' modules.

    Raises:
        MissingPackageError: One is missing; the message names the extra that installs it.
    """
    for module in modules:
        if not is_installed(module):
            raise _missing(purpose, module)


def missing_package(error: Exception) -> MissingPackageError | None:
    """Convert the error of an import of an optional package; None for another error, or a module of no extra."""
    module = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if module not in _EXTRA_OF:
        return None
    return _missing("this command", module)


def _missing(purpose: str, module: str) -> MissingPackageError:
    return MissingPackageError(
        f"{purpose} needs the package {module}, which is not installed; run: pip install"
        f" 'momentseek[{_EXTRA_OF[module]}]'"
    )


def is_installed(module: str) -> bool:
    """Whether a module can be found; it is not imported."""
    try:
        return find_spec(module) is not None
    except ValueError:  # sys.modules has None, or a module without a specification, under this name
        return False
