"""Routes a library's videos by the decisions of a policy: copies, links or lists them, or runs a command."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from shutil import which

from pipeline.analyze.policies.command_claims import CommandClaims
from pipeline.analyze.policies.delivery_log import DeliveryLog, DeliveryRecord, How
from pipeline.analyze.policies.destination import Destination
from pipeline.analyze.policies.policy import Policy
from pipeline.analyze.policies.routing import Route, check_routes, route_of
from pipeline.errors import ConfigError, VideoError
from pipeline.export.placement import copy_video, link_video
from pipeline.fingerprints import fingerprint
from pipeline.library.analysis.manifest_writer import ManifestWriter
from pipeline.library.analysis.policies.check import CheckedVideo, PolicyCheck

__all__ = ["Delivery", "RoutedVideo", "Router", "open_router"]

OnVideo = Callable[[int, int], None]

_COMMAND_SECONDS = 300.0
_MOST_SAID = 500


@dataclass(frozen=True)
class Delivery:
    """The delivery of a video to one destination.

    Attributes:
        destination: The destination's name.
        target: The file, the manifest or the command.
        problem: The reason of a failure; None if it succeeded, or would succeed.
        is_new: Whether anything was changed; the file may have existed, or the command may have run, before.
        size_bytes: Size of a copy; None for others.
        exit_status: Exit status of a command; None if it did not end by itself.
    """

    destination: str
    target: str
    problem: str | None = None
    is_new: bool = True
    size_bytes: int | None = None
    exit_status: int | None = None


@dataclass(frozen=True)
class RoutedVideo:
    """A routed video.

    Attributes:
        checked: The video and the decision about it.
        route: Its destinations, with the rules that chose them.
        deliveries: The deliveries made, or to be made in a dry run.
    """

    checked: CheckedVideo
    route: Route
    deliveries: tuple[Delivery, ...]


def open_router(check: PolicyCheck, into: Path, *, dry_run: bool = False) -> Router:
    """Check the destinations of a policy and make its router.

    Args:
        check: The check.
        into: Folder of relative paths of destinations.
        dry_run: Whether to report what would be done without doing or logging it.

    Raises:
        ConfigError: No rule routes, a manifest exists already, a folder's path is a file, or a program is not found.
    """
    check_routes(check.policy)
    places: dict[str, Path] = {}
    for name, destination in check.policy.destinations.items():
        where = f"destinations.{name}"
        if destination.command is not None and which(destination.command[0]) is None:
            raise ConfigError(f"{where}.command: program {destination.command[0]!r} was not found; correct its path")
        path = destination.folder or destination.manifest
        if path is None:
            continue
        places[name] = into / Path(path).expanduser()
        if destination.folder is not None and places[name].exists() and not places[name].is_dir():
            raise ConfigError(f"{where}.folder: {str(places[name])!r} is not a folder; choose another one")
        if destination.manifest is not None and (places[name].exists() or places[name].is_symlink()):
            raise ConfigError(
                f"{where}.manifest: {str(places[name])!r} already exists and is not replaced; move it away, or choose"
                " another folder with --into"
            )
    manifests = [str(places[name]) for name, each in check.policy.destinations.items() if each.manifest is not None]
    if twice := [path for path in manifests if manifests.count(path) > 1]:
        raise ConfigError(f"destinations: two of them write the manifest {twice[0]!r}; use a different file for each")
    return Router(check, places, dry_run=dry_run)


class Router:
    """Routes the videos of a check; made by `open_router`.

    Args:
        check: The check.
        places: The paths of destinations that have one, by name.
        dry_run: Whether to report what would be done without doing it.
    """

    def __init__(self, check: PolicyCheck, places: Mapping[str, Path], *, dry_run: bool) -> None:
        self._check = check
        self._places = places
        self._dry_run = dry_run
        self._manifests: dict[str, ManifestWriter] = {}
        self._listed: list[DeliveryRecord] = []
        self._log = DeliveryLog(check.library.config.library)
        self._claims: CommandClaims | None = None
        self._writer = self._log.writer(check.header.run, _about(check))

    @property
    def policy(self) -> Policy:
        """The policy."""
        return self._check.policy

    def run(
        self, *, resume: bool = False, redeliver: bool = False, on_video: OnVideo | None = None
    ) -> Iterator[RoutedVideo]:
        """Check and route the videos one after another; manifests appear when all are done, and not if the run fails.

        Deliveries are logged. A command that succeeded in an earlier run for the same policy, video, destination and
        rules is not run again. An interrupted command is reported as a problem, because its result is unknown.

        Args:
            resume: Whether to reuse logged decisions of earlier runs.
            redeliver: Whether to repeat commands of earlier runs.
            on_video: Called with the number of videos done and their total.

        Raises:
            StoreError: The log cannot be read or written, or the library is read-only.
            OSError: A destination cannot be written to.
        """
        if any(each.command is not None for each in self._check.policy.destinations.values()):
            self._claims = CommandClaims(self._log, is_repeating=redeliver)
        with ExitStack() as outer:
            if not self._dry_run:
                outer.enter_context(self._writer)
            with ExitStack() as stack:
                self._open_places(stack)
                for checked in self._check.run(resume=resume, on_video=on_video, is_logged=not self._dry_run):
                    route = route_of(self._check.policy, checked.decision)
                    deliveries = tuple(self._deliver(name, checked, route) for name in route.destinations)
                    yield RoutedVideo(checked, route, deliveries)
            # The manifests exist only now.
            for record in self._listed:
                self._writer.add(record)

    def _open_places(self, stack: ExitStack) -> None:
        """Make the folders of destinations, and open the manifests."""
        for name, destination in self._check.policy.destinations.items() if not self._dry_run else ():
            if destination.folder is not None:
                self._places[name].mkdir(parents=True, exist_ok=True)
            elif destination.manifest is not None:
                self._manifests[name] = stack.enter_context(ManifestWriter(self._places[name]))

    def _deliver(self, name: str, checked: CheckedVideo, route: Route) -> Delivery:
        destination = self._check.policy.destinations[name]
        target = (
            str(self._places[name]) if name in self._places else str(destination.command and destination.command[0])
        )
        record = self._record(name, destination, checked, route, target)
        before = None if self._claims is None or record.how != "ran" else self._claims.before(record.key)
        if self._dry_run:
            return Delivery(name, target, is_new=before is None)
        if before is not None:
            return _earlier(name, target, before)
        try:
            delivery = self._delivered(name, destination, checked, route, record)
        except (VideoError, ValueError) as error:
            delivery = Delivery(name, target, str(error))
        except OSError as error:
            self._writer.add(_ended(record, Delivery(name, target, f"cannot be written: {error}")))
            raise
        if record.how == "listed" and delivery.problem is None:
            self._listed.append(_ended(record, delivery))
        elif record.how != "ran" or delivery.is_new:
            self._writer.add(_ended(record, delivery))
        return delivery

    def _delivered(
        self, name: str, destination: Destination, checked: CheckedVideo, route: Route, record: DeliveryRecord
    ) -> Delivery:
        """Deliver a video.

        Raises:
            VideoError: The video is missing or its content has changed.
            ValueError: The video cannot be listed.
            OSError: The destination cannot be written to.
        """
        if destination.folder is not None:
            return self._placed(name, destination, checked)
        values = self._values(checked, route)
        if destination.manifest is not None:
            self._manifests[name].add(values)
            return Delivery(name, record.target)
        arguments = destination.arguments(values)
        assert self._claims is not None
        with self._claims.claim(record.key) as before:
            if before is None:
                self._writer.add(record)
        if before is not None:
            return _earlier(name, record.target, before)
        status, problem = _run(destination, arguments)
        return Delivery(name, record.target, problem, exit_status=status)

    def _record(
        self, name: str, destination: Destination, checked: CheckedVideo, route: Route, target: str
    ) -> DeliveryRecord:
        """Make the record of a delivery's start."""
        policy, video_id = self._check.policy, checked.decision.video_id
        said = {"policy": policy.name, "video_id": video_id, "destination": name, "rules": sorted(route.rules)}
        placed: How = "linked" if destination.place == "link" else "copied"
        listed: How = "ran" if destination.manifest is None else "listed"
        return DeliveryRecord(
            video_id=video_id,
            uri=checked.decision.uri,
            destination=name,
            key=fingerprint(said, destination),
            how=listed if destination.folder is None else placed,
            state="begun",
            target=target,
            rules=route.rules,
            at=_now(),
        )

    def _placed(self, name: str, destination: Destination, checked: CheckedVideo) -> Delivery:
        videos = self._check.library.indexed_videos
        place = link_video if destination.place == "link" else copy_video
        path, is_new = place(videos, checked.decision.video_id, checked.decision.uri, self._places[name])
        size = None if destination.place == "link" else path.stat().st_size
        return Delivery(name, str(path), None, is_new, size)

    def _values(self, checked: CheckedVideo, route: Route) -> dict[str, str]:
        """Return the fields of a manifest's row and of a command's arguments.

        Raises:
            VideoError: The video is missing or its content has changed. For an unchecked video, its last name is
                used without this check.
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


def _about(check: PolicyCheck) -> dict[str, str]:
    """Return the log's entries about a run's policy."""
    header = check.header
    return {
        "policy": check.policy.name,
        "policy_fingerprint": check.policy.fingerprint,
        "identity": header.identity,
        "encoder": header.encoder,
        "version": header.version,
    }


def _ended(record: DeliveryRecord, delivery: Delivery) -> DeliveryRecord:
    return replace(
        record,
        state="ended",
        target=delivery.target,
        at=_now(),
        is_new=delivery.is_new,
        size_bytes=delivery.size_bytes,
        exit_status=delivery.exit_status,
        problem=delivery.problem,
    )


def _earlier(name: str, target: str, before: DeliveryRecord) -> Delivery:
    """Make the delivery of a command that another run has run."""
    return Delivery(name, target, _doubt(before), is_new=False, exit_status=before.exit_status)


def _doubt(before: DeliveryRecord) -> str | None:
    """Describe why the result of another run's command is unknown; None if the command succeeded."""
    if before.state == "ended":
        return None
    return (
        f"{before.target} was started at {before.at} by a run that was interrupted or still goes on, so its result is"
        " unknown; check it, and to repeat the command, run route with --redeliver for this video"
    )


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"


def _run(destination: Destination, arguments: Sequence[str]) -> tuple[int | None, str | None]:
    """Run a command without a shell; return its exit status, if it ended by itself, and the reason of a failure."""
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
        return None, f"{arguments[0]} took more than {seconds:g} s and was stopped"
    except OSError as error:
        return None, f"{arguments[0]} cannot be run: {error.strerror}"
    if ended.returncode == 0:
        return 0, None
    output = ended.stdout[-_MOST_SAID:].decode(errors="replace").strip()
    return ended.returncode, f"{arguments[0]} exited with status {ended.returncode}{f': {output}' if output else ''}"
