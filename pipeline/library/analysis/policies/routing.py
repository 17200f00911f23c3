"""Routing of a library's videos: copy, link or list them, or run a command, by the decisions of a policy."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from pipeline.analyze.policies.destination import Destination
from pipeline.analyze.policies.routing import Route, check_routes, route_of
from pipeline.errors import ConfigError, VideoError
from pipeline.export.placement import copy_video, link_video
from pipeline.library.analysis.manifest_writer import ManifestWriter
from pipeline.library.analysis.policies.check import Checked, PolicyCheck

__all__ = ["Delivery", "RoutedVideo", "Router", "open_router"]

OnVideo = Callable[[int, int], None]

_COMMAND_SECONDS = 300.0
_MOST_SAID = 500


@dataclass(frozen=True)
class Delivery:
    """A video at one destination.

    Attributes:
        destination: The destination's name.
        target: The file, the manifest or the command.
        problem: Why it did not get there; None where it did, or would.
        is_new: Whether something was done; it may have been there before.
    """

    destination: str
    target: str
    problem: str | None = None
    is_new: bool = True


@dataclass(frozen=True)
class RoutedVideo:
    """Where a video went.

    Attributes:
        checked: The video and the decision about it.
        route: Its destinations, and why.
        deliveries: What was done, or would be done.
    """

    checked: Checked
    route: Route
    deliveries: tuple[Delivery, ...]


def open_router(check: PolicyCheck, into: Path, *, dry_run: bool = False) -> Router:
    """Check the destinations of a policy before anything is done.

    Args:
        check: The check.
        into: Relative paths of destinations are below it.
        dry_run: Do nothing but say what would be done; nothing is logged, either.

    Raises:
        ConfigError: No rule routes, a manifest is there already, a folder is something else, or a program is not found.
    """
    check_routes(check.policy)
    places: dict[str, Path] = {}
    for name, destination in check.policy.destinations.items():
        where = f"destinations.{name}"
        if destination.command is not None and which(destination.command[0]) is None:
            raise ConfigError(f"{where}.command: there is no program {destination.command[0]!r}; correct its path")
        path = destination.folder or destination.manifest
        if path is None:
            continue
        places[name] = into / Path(path).expanduser()
        if destination.folder is not None and places[name].exists() and not places[name].is_dir():
            raise ConfigError(f"{where}.folder: {str(places[name])!r} is no folder; name another one")
        if destination.manifest is not None and (places[name].exists() or places[name].is_symlink()):
            raise ConfigError(
                f"{where}.manifest: {str(places[name])!r} is there already and is not replaced; move it away, or choose"
                " another folder by --into"
            )
    manifests = [str(places[name]) for name, each in check.policy.destinations.items() if each.manifest is not None]
    if twice := [path for path in manifests if manifests.count(path) > 1]:
        raise ConfigError(f"destinations: two of them write the manifest {twice[0]!r}; give each a file of its own")
    return Router(check, places, dry_run=dry_run)


class Router:
    """Routes the videos of a check; `open_router` makes it.

    Args:
        check: The check.
        places: By name, the paths of destinations that have one.
        dry_run: Do nothing but say what would be done.
    """

    def __init__(self, check: PolicyCheck, places: Mapping[str, Path], *, dry_run: bool) -> None:
        self._check = check
        self._places = places
        self._dry_run = dry_run
        self._manifests: dict[str, ManifestWriter] = {}

    def run(self, *, resume: bool = False, on_video: OnVideo | None = None) -> Iterator[RoutedVideo]:
        """Check and route the videos in turn. Manifests appear once all are done; a run that fails leaves none.

        Args:
            resume: Take over decisions that earlier runs have logged.
            on_video: Called with the number of videos done and their total.

        Raises:
            StoreError: The log cannot be read or written, or the library is read-only.
            OSError: A destination cannot be written to.
        """
        policy = self._check.policy
        with ExitStack() as stack:
            if not self._dry_run:
                for name, destination in policy.destinations.items():
                    if destination.folder is not None:
                        self._places[name].mkdir(parents=True, exist_ok=True)
                    elif destination.manifest is not None:
                        self._manifests[name] = stack.enter_context(ManifestWriter(self._places[name]))
            for checked in self._check.run(resume=resume, on_video=on_video, is_logged=not self._dry_run):
                route = route_of(policy, checked.decision)
                deliveries = tuple(self._deliver(name, checked, route) for name in route.destinations)
                yield RoutedVideo(checked, route, deliveries)

    def _deliver(self, name: str, checked: Checked, route: Route) -> Delivery:
        destination = self._check.policy.destinations[name]
        target = (
            str(self._places[name]) if name in self._places else str(destination.command and destination.command[0])
        )
        if self._dry_run:
            return Delivery(name, target)
        try:
            if destination.folder is not None:
                return self._placed(name, destination, checked)
            values = self._values(checked, route)
            if destination.manifest is not None:
                self._manifests[name].add(values)
                return Delivery(name, target)
            return Delivery(name, target, _run(destination, destination.arguments(values)))
        except (VideoError, ValueError) as error:
            return Delivery(name, target, str(error))

    def _placed(self, name: str, destination: Destination, checked: Checked) -> Delivery:
        videos = self._check.library.indexed_videos
        place = link_video if destination.place == "link" else copy_video
        path, is_new = place(videos, checked.decision.video_id, checked.decision.uri, self._places[name])
        return Delivery(name, str(path), None, is_new)

    def _values(self, checked: Checked, route: Route) -> dict[str, str]:
        """The texts of a manifest's row and of a command's arguments.

        Raises:
            VideoError: The video is gone, or holds another content by now; of one that is unchecked the last name does.
        """
        decision = checked.decision
        path = decision.uri
        if not route.is_unchecked:
            path = self._check.library.indexed_videos.place(decision.video_id, decision.uri)
        flags = [flag for rule, flag in decision.flags if rule in route.rules]
        best = max(flags, key=lambda flag: flag.peak.score, default=None)
        severity = route.severity(self._check.policy)
        return {
            "path": path,
            "video_id": decision.video_id,
            "policy": self._check.policy.name,
            "rules": " ".join(route.rules),
            "severity": "" if severity is None else str(severity),
            "score": "" if best is None else f"{best.peak.score:.4f}",
            "start_seconds": "" if best is None else f"{best.start_seconds:.3f}",
            "end_seconds": "" if best is None else f"{best.end_seconds:.3f}",
        }


def _run(destination: Destination, arguments: Sequence[str]) -> str | None:
    """Run a command without a shell; why it failed, or None."""
    seconds = destination.timeout_seconds or _COMMAND_SECONDS
    try:
        ended = subprocess.run(  # noqa: S603 - no shell; the user's own policy names the program
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"{arguments[0]} took more than {seconds:g} s and was ended"
    except OSError as error:
        return f"{arguments[0]} cannot be run: {error.strerror}"
    if ended.returncode == 0:
        return None
    said = ended.stdout[-_MOST_SAID:].decode(errors="replace").strip()
    return f"{arguments[0]} ended with {ended.returncode}{f': {said}' if said else ''}"
