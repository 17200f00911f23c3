"""`momentseek concept`: fit a concept to marks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.commands.analysis.mark import parts_of
from pipeline.cli.common_options import as_json, configured, in_library, require_library
from pipeline.cli.console.tables import echo, print_json

if TYPE_CHECKING:
    from pipeline.analyze.concepts.concept import Concept
    from pipeline.library import Library

__all__ = ["concept", "concept_json", "said_of"]


@click.command()
@click.argument("name")
@click.option("--like", "likes", metavar="VIDEO@TIME", multiple=True, help="Mark this part as showing the subject.")
@click.option(
    "--unlike", "unlikes", metavar="VIDEO@TIME", multiple=True, help="Mark this part as not showing the subject."
)
@click.option("--text", metavar="TEXT", help='Start from this text; "" for none.')
@click.option("--subject", metavar="SUBJECT", help="Subject of the marks to use. Default: NAME.")
@click.option("--refit", is_flag=True, help="Fit the concept again even if its marks are unchanged.")
@click.option("--remove", "is_removal", is_flag=True, help="Remove the concept; its marks are kept.")
@configured
@in_library
@as_json
def concept(
    *,
    name: str,
    likes: Sequence[str],
    unlikes: Sequence[str],
    text: str | None,
    subject: str | None,
    refit: bool,
    is_removal: bool,
    config: str | None,
    overrides: Sequence[str],
    library: str | None,
    as_json: bool,
) -> None:
    """Fit the concept NAME to marks, so that concept:NAME can be asked for like a text.

    \b
    momentseek concept hi-vis --text "hi-vis vest" --like gate.mp4@12 --unlike yard.mp4@3
    momentseek concept hi-vis --subject "hi-vis vest"
    momentseek search concept:hi-vis --not "a hard hat"

    --like and --unlike add to the marks that the subject has, for example from `momentseek review`. A concept is
    a linear probe on the stored embeddings that starts from its text. It is cross-validated, and refused if there are
    too few marks. See docs/how-to/concepts.md.
    """  # noqa: D301 - click knows the character itself, not a backslash and a b
    given = likes or unlikes or refit or text is not None or subject is not None
    if is_removal and given:
        raise click.UsageError("--remove stands alone; leave out the other options")
    with require_library(library, config, overrides) as opened:
        if is_removal:
            _remove(opened, name)
            return
        found, is_new = _fitted(opened, name, likes, unlikes, text=text, subject=subject, is_refit=refit)
    if as_json:
        print_json(concept_json(found))
    else:
        echo(f"{'fitted' if is_new else 'up to date'}: {said_of(found)}", err=True)
        echo(f"ask for it by: momentseek search concept:{found.name}", err=True)


def _fitted(
    library: Library,
    name: str,
    likes: Sequence[str],
    unlikes: Sequence[str],
    *,
    text: str | None,
    subject: str | None,
    is_refit: bool,
) -> tuple[Concept, bool]:
    from pipeline.analyze.concepts.fitting import ConceptSource
    from pipeline.analyze.marks.mark import Verdict
    from pipeline.library.analysis.concepts import concept_source, concept_states, fit_concept
    from pipeline.library.analysis.marks import checked_marks, write_marks

    source = concept_source(library, name, subject=subject, text=text)
    marked = [(parts_of(likes, "--like"), Verdict.YES), (parts_of(unlikes, "--unlike"), Verdict.NO)]
    marks = [one for parts, verdict in marked for one in checked_marks(library, source.subject, parts, verdict)]
    if marks:
        write_marks(library, marks)
    if not is_refit:
        for state in concept_states(library):
            known = state.concept
            is_same = ConceptSource(known.name, known.subject, known.text) == source
            if is_same and state.is_current and state.is_of_encoder:
                return known, False
    return fit_concept(library, source), True


def _remove(library: Library, name: str) -> None:
    from pipeline.library.analysis.concepts import concept_store
    from pipeline.library.index_handle import check_writable

    check_writable(library.config.library)
    store = concept_store(library)
    # A file that is broken can be removed, too.
    if name not in store.names():
        store.read(name)
    store.remove(name)
    echo(f"removed the concept {name}; its marks are kept", err=True)


def concept_json(concept: Concept) -> dict[str, Any]:
    """Convert a concept to JSON values, without its vector."""
    return {key: value for key, value in concept.as_json().items() if key != "vector"}


def said_of(concept: Concept) -> str:
    """Say in a line what a concept was fitted from and how well it does."""
    precision = "unknown" if concept.precision is None else f"{concept.precision:.2f}"
    start = f"the text {concept.text!r}" if concept.text else "its yes marks"
    return (
        f"{concept.name}, from {concept.yes} yes and {concept.no} no of {concept.subject!r}, starting from {start};"
        f" cross-validated precision {precision}, recall {concept.recall:.2f}"
    )
