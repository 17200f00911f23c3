"""`momentseek concepts`: list the concepts of a library."""

from __future__ import annotations

from collections.abc import Sequence

import click

from pipeline.cli.commands.analysis.concept import concept_json
from pipeline.cli.common_options import as_json, configured, in_library, require_library
from pipeline.cli.console.tables import echo, print_json, print_table

__all__ = ["concepts"]


@click.command()
@configured
@in_library
@as_json
def concepts(*, config: str | None, overrides: Sequence[str], library: str | None, as_json: bool) -> None:
    """List concepts with the marks that each was fitted to, and its cross-validated precision and recall.

    Precision and recall are measured on the marks, which tend to be the doubtful cases, and not on all frames.
    """
    from pipeline.library.analysis.concepts import concept_states
    from pipeline.render.text import counted

    with require_library(library, config, overrides) as opened:
        states = concept_states(opened)
    if as_json:
        for state in states:
            extra = {"is_current": state.is_current, "is_of_encoder": state.is_of_encoder}
            print_json({**concept_json(state.concept), **extra})
        return
    rows = []
    for state in states:
        one = state.concept
        precision = "" if one.precision is None else f"{one.precision:.2f}"
        note = "" if state.is_current else "marks changed; refitted when used"
        if not state.is_of_encoder:
            note = f"of another encoder: momentseek concept {one.name} --refit"
        rows.append(
            [one.name, one.text or "", one.subject, str(one.yes), str(one.no), precision, f"{one.recall:.2f}", note]
        )
    if rows:
        print_table(["concept", "text", "subject", "yes", "no", "precision", "recall", ""], rows, right=(3, 4, 5, 6))
    echo(counted(len(rows), "concept"), err=True)
