"""`momentseek route`: copy, link or list videos by the rules of a policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.common_options import as_json, configured, in_library, require_library
from pipeline.cli.console.count_bar import count_bar
from pipeline.cli.console.policy_output import report_problems
from pipeline.cli.console.tables import complain, echo, print_json
from pipeline.cli.selection_options import metadata_of
from pipeline.cli.stopping import ended_by_sigterm

if TYPE_CHECKING:
    from pipeline.library import Library
    from pipeline.library.analysis.policies.routing import Delivery, RoutedVideo, Router

__all__ = ["route"]

_NOWHERE = "no destination"


@click.command()
@click.argument("policy", metavar="POLICY")
@click.argument("names", nargs=-1, metavar="[VIDEO...]")
@click.option("--where", metavar="NAME=VALUE", multiple=True, help="Only videos with this metadata, e.g. camera=gate.")
@click.option(
    "--into",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Folder that relative destinations start from. Default: the working folder.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be done; write nothing, not even to the audit log.")
@click.option("--resume", is_flag=True, help="Reuse the decisions of earlier runs with the same policy and encoder.")
@click.option("--redeliver", is_flag=True, help="Also repeat commands that earlier runs ran for the same videos.")
@configured
@in_library
@as_json
def route(
    *,
    policy: str,
    names: Sequence[str],
    where: Sequence[str],
    into: Path,
    dry_run: bool,
    resume: bool,
    redeliver: bool,
    config: str | None,
    overrides: Sequence[str],
    library: str | None,
    as_json: bool,
) -> None:
    """Copy, link or list videos by the rules of POLICY whose action is route.

    \b
    momentseek route unfit-for-publication --into publish/ --dry-run
    momentseek route policy.yaml --where camera=gate

    Videos that no such rule flags go to the policy's `otherwise`; those that could not be checked, or not whole, to
    `unchecked`, and never to `otherwise`. No file is ever replaced, and nothing is delivered twice: after an
    interruption, run the same command again. Deliveries are logged in the library's audit/deliveries/.

    The exit code is 1 if a video did not reach its destination, or could not be checked and the policy names no place
    for it. See docs/how-to/policies.md.
    """  # noqa: D301 - click knows the character itself, not a backslash and a b
    with require_library(library, config, overrides) as opened:
        router = _router(opened, policy, names, where, into=into, dry_run=dry_run)
        routed = partial(router.run, resume=resume, redeliver=redeliver)
        is_whole = _route(opened, router, routed, dry_run=dry_run, as_json=as_json)
    if not is_whole:
        raise click.exceptions.Exit(1)


def _router(
    library: Library, policy: str, names: Sequence[str], where: Sequence[str], *, into: Path, dry_run: bool
) -> Router:
    from pipeline.analyze.policies.policy import read_policy
    from pipeline.analyze.policies.routing import check_routes
    from pipeline.library.analysis.policies.check import open_check
    from pipeline.library.analysis.policies.routing import open_router

    read = read_policy(policy)
    check_routes(read)
    check = open_check(library, read, names, metadata_of(where, "--where"))
    for note in check.notes:
        complain(f"note: {note}")
    return open_router(check, into.absolute(), dry_run=dry_run)


def _route(
    library: Library, router: Router, routed_by: Callable[..., Iterator[RoutedVideo]], *, dry_run: bool, as_json: bool
) -> bool:
    """Route and print; whether all videos are where they belong."""
    from pipeline.render.text import counted

    counts: Counter[str] = Counter()
    told: set[str] = set()
    is_whole = True
    try:
        with ended_by_sigterm("route"), count_bar("videos") as on_video:
            for routed in routed_by(on_video=on_video):
                _print(routed, counts, as_json=as_json)
                report_problems(routed.checked, told)
                is_lost = routed.route.is_unchecked and not routed.deliveries
                is_whole &= not is_lost and all(each.problem is None for each in routed.deliveries)
    except OSError as error:
        raise click.ClickException(f"a destination cannot be written: {error}") from error
    order = [*router.policy.destinations, _NOWHERE]
    said = ", ".join(f"{counts[name]} to {name}" for name in order if counts[name]) or "no video"
    echo(f"{'would go: ' if dry_run else ''}{said}", err=True)
    if failed := len(library.failures()):
        sources = counted(failed, "source")
        echo(f"{sources} that failed to be indexed went nowhere: momentseek videos --failed lists them", err=True)
    return is_whole


def _print(routed: RoutedVideo, counts: Counter[str], *, as_json: bool) -> None:
    decision = routed.checked.decision
    counts.update(each.destination for each in routed.deliveries if each.problem is None)
    if not routed.deliveries:
        counts[_NOWHERE] += 1
    if as_json:
        fields: dict[str, Any] = {
            "video_id": decision.video_id,
            "uri": decision.uri,
            "rules": list(routed.route.rules),
            "is_unchecked": routed.route.is_unchecked,
            "problems": list(decision.problems),
            "deliveries": [
                {
                    "destination": each.destination,
                    "target": each.target,
                    "problem": each.problem,
                    "is_new": each.is_new,
                    "size_bytes": each.size_bytes,
                    "exit_status": each.exit_status,
                }
                for each in routed.deliveries
            ],
        }
        print_json(fields)
    else:
        names = ", ".join(map(_where, routed.deliveries)) or _NOWHERE
        why = f" ({', '.join(routed.route.rules)})" if routed.route.rules else ""
        echo(f"{names}{why}: {decision.uri}")
    for each in routed.deliveries:
        if each.problem is not None:
            complain(f"not routed to {each.destination}: {decision.uri}: {each.problem}")


def _where(delivery: Delivery) -> str:
    return delivery.destination if delivery.is_new else f"{delivery.destination} (delivered before)"
