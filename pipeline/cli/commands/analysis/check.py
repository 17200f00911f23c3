"""`momentseek check`: check the videos of a library by a policy."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.common_options import as_json, configured, in_library, require_library
from pipeline.cli.console.count_bar import count_bar
from pipeline.cli.console.policy_output import CheckOutput
from pipeline.cli.console.tables import complain, echo, print_json
from pipeline.cli.selection_options import metadata_of
from pipeline.cli.stopping import ended_by_sigterm

if TYPE_CHECKING:
    from pipeline.library import Library

__all__ = ["FLAGGED", "check"]

FLAGGED = 3
"""Exit code where something was flagged that `--fail-on` names."""


@click.command()
@click.argument("policy", metavar="[POLICY]", required=False)
@click.argument("names", nargs=-1, metavar="[VIDEO...]")
@click.option("--where", metavar="NAME=VALUE", multiple=True, help="Only videos with this metadata, e.g. camera=gate.")
@click.option(
    "--fail-on",
    type=click.Choice(["low", "medium", "high", "critical"]),
    help="End with exit code 3 if something of this severity or a higher one was flagged.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the results to this .csv or .jsonl file.",
)
@click.option(
    "--queue",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the intervals that rules with the action queue flag, for `momentseek review --flags`.",
)
@click.option(
    "--evidence",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Draw the flagged intervals on PNG sheets in this folder.",
)
@click.option("--resume", is_flag=True, help="Reuse the decisions of earlier runs with the same policy and encoder.")
@click.option(
    "--replay", metavar="RUN", help="Compute a run of the audit log again and compare; `last` for the latest."
)
@configured
@in_library
@as_json
def check(
    *,
    policy: str | None,
    names: Sequence[str],
    where: Sequence[str],
    fail_on: str | None,
    output: Path | None,
    queue: Path | None,
    evidence: Path | None,
    resume: bool,
    replay: str | None,
    config: str | None,
    overrides: Sequence[str],
    library: str | None,
    as_json: bool,
) -> None:
    """Check videos by POLICY, a YAML file or the name of one that comes with momentseek.

    \b
    momentseek check protective-equipment --where camera=gate
    momentseek check policy.yaml --fail-on high --evidence sheets/
    momentseek check --replay last

    Prints the flagged intervals, and the videos that could not be checked. Every decision is appended to the library's
    audit log. See docs/how-to/policies.md.

    The exit code is 3 if something of the severity of --fail-on or a higher one was flagged. Otherwise it is 1 if a
    video could not be checked completely, or if a replay differs.
    """  # noqa: D301 - click knows the character itself, not a backslash and a b
    if replay is not None:
        if policy is not None or fail_on or output or queue or evidence or resume or where:
            raise click.UsageError("--replay computes a run of the log again; leave out the policy and other options")
        with require_library(library, config, overrides) as opened:
            _replay(opened, replay, as_json=as_json)
        return
    if policy is None:
        raise click.UsageError("name a policy: a YAML file, or one that comes with momentseek; or --replay RUN")
    with require_library(library, config, overrides) as opened:
        flagged, problems = _check(
            opened, policy, names, where, resume=resume, output=output, queue=queue, evidence=evidence, as_json=as_json
        )
    if fail_on is not None and any(_rank(severity) >= _rank(fail_on) for severity in flagged):
        raise click.exceptions.Exit(FLAGGED)
    if problems:
        raise click.exceptions.Exit(1)


def _rank(severity: str) -> int:
    """The place of a severity among all, 0 for the least."""
    from pipeline.analyze.policies.policy import Severity

    return Severity(severity).rank


def _check(
    library: Library,
    policy: str,
    names: Sequence[str],
    where: Sequence[str],
    *,
    resume: bool,
    output: Path | None,
    queue: Path | None,
    evidence: Path | None,
    as_json: bool,
) -> tuple[set[str], bool]:
    """Check and print; the severities of what was flagged, and whether a video was not checked whole."""
    from pipeline.analyze.policies.policy import read_policy
    from pipeline.library.analysis.policies.check import open_check
    from pipeline.library.analysis.policies.evidence import EvidenceSheets
    from pipeline.render.text import counted

    opened = open_check(library, read_policy(policy), names, metadata_of(where, "--where"))
    for note in opened.notes:
        complain(f"note: {note}")
    with ExitStack() as stack:
        stack.enter_context(ended_by_sigterm("check"))
        sheets = None if evidence is None else stack.enter_context(EvidenceSheets(opened, evidence))
        shown = stack.enter_context(CheckOutput(opened.policy, as_json=as_json, output=output, queue=queue))
        on_video = stack.enter_context(count_bar("videos"))
        for checked in opened.run(resume=resume, on_video=on_video):
            drawn = {} if sheets is None else sheets.add(checked)
            shown.add(checked, drawn)
    shown.finish(opened.header.run)
    if sheets is not None:
        echo(f"wrote {counted(len(sheets.written), 'sheet')} to {evidence}", err=True)
    return shown.severities, bool(shown.problems)


def _replay(library: Library, run: str, *, as_json: bool) -> None:
    from pipeline.library.analysis.policies.replay import ReplayResult, replay

    counts = dict.fromkeys(ReplayResult, 0)
    with count_bar("decisions") as on_video:
        for replayed in replay(library, run, on_video=on_video):
            counts[replayed.result] += 1
            if as_json:
                print_json(asdict(replayed))
            elif replayed.result is not ReplayResult.SAME:
                complain(f"{replayed.result}: {replayed.uri}: {replayed.text}")
    echo(", ".join(f"{count} {result}" for result, count in counts.items()), err=True)
    if counts[ReplayResult.DIFFERENT]:
        raise click.exceptions.Exit(1)
