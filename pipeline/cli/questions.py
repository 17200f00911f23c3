"""`momentseek evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from pipeline.cli.options import configured, in_library, require_library
from pipeline.cli.output import print_json, print_table

__all__ = ["evaluate"]


@click.command()
@click.argument("moments", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="MOMENTS.jsonl")
@click.option("--top", "-n", type=click.IntRange(1, 1000), default=10, show_default=True, help="Moments a question.")
@configured
@in_library
@click.option("--json", "as_json", is_flag=True, help="Print metrics and answers as one JSON object.")
def evaluate(
    *,
    moments: Path,
    top: int,
    config: str | None,
    overrides: Sequence[str],
    library: str | None,
    as_json: bool,
) -> None:
    """Score a library on labelled moments.

    Each question of MOMENTS.jsonl (QVHighlights' format) is asked within its video; docs/evaluation.md says what the
    metrics mean.
    """
    from pipeline.evaluate import evaluate as score
    from pipeline.evaluate import read_labelled

    queries = read_labelled(moments)
    with require_library(library, config, overrides) as opened:
        evaluation = score(opened, queries, top=top)
    if as_json:
        print_json(evaluation.as_json())
    else:
        rows = [[name, f"{value:.1f}"] for name, value in evaluation.metrics.items()]
        print_table([f"{len(queries)} questions", "per cent"], rows, right=(1,))
