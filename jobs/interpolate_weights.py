"""Interpolate the weights of two checkpoints of one network (WiSE-FT, arXiv:2109.01903).

    python -m jobs.interpolate_weights first.safetensors fine-tuned.pt --alpha 0.5 -o mixed.safetensors

docs/how-to/fine-tuning.md says what for. Exit code 2 if a file is not a checkpoint, or the two are of other networks.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from pipeline.cli.console.tables import complain, echo
from pipeline.encode.weights.interpolation import interpolate_checkpoints
from pipeline.errors import ConfigError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Interpolate as these arguments say, or those of the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m jobs.interpolate_weights", description=__doc__.split("\n")[0])
    parser.add_argument("first", help="checkpoint of the model that was fine-tuned, .safetensors or .pt")
    parser.add_argument("second", help="checkpoint of the fine-tuned model")
    parser.add_argument("--alpha", type=float, default=0.5, help="share of the second, 0 to 1; by default 0.5")
    parser.add_argument("--output", "-o", required=True, help="the .safetensors file that is written")
    options = parser.parse_args(arguments)
    try:
        count = interpolate_checkpoints(options.first, options.second, options.alpha, options.output)
    except ConfigError as error:
        complain(f"error: {error}")
        return 2
    echo(f"{options.output}: {count} tensors, {options.alpha:g} of {options.second}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
