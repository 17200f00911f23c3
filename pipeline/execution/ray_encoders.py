"""A pool of encoders in Ray's processes, as the driver sees it."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import ray
from ray.exceptions import OutOfMemoryError, RayActorError, RayError, RayTaskError

from pipeline.encode.protocol import Encoder, Preprocessing
from pipeline.errors import ExecutionError, MomentseekError
from pipeline.execution.progress import EncoderTimes
from pipeline.execution.ray_cluster import Shares
from pipeline.execution.ray_kept import KeptEncoders
from pipeline.execution.ray_workers import DeviceFault, EncoderProcess
from pipeline.execution.video_work import Failure, Lost, Vectors

__all__ = ["EncoderPool", "HasPixels", "Member"]

_log = logging.getLogger(__name__)

# One call runs and one waits, so that an encoder never waits for the driver.
_CALLS_AT_ONCE = 2
_DEATHS_ALLOWED = 3
# Frames are to blame for a fault of the device only after several: it may be the device's own. One that has twice as
# many in a row, on fresh processes and other frames, is given up.
_FAULTS_OF_FRAMES = 3
_FAULTS_OF_DEVICE = 6


class HasPixels(Protocol):
    """A batch of frames that is to be encoded."""

    @property
    def pixels(self) -> Any:
        """Reference of its uint8 (N, H, W, 3) in Ray's store."""

    @property
    def alone(self) -> bool:
        """Whether it has a call to itself, since an encoder died on one that it was part of."""

    deaths: int
    """How often that was so."""


P = TypeVar("P", bound=HasPixels)


@dataclass(eq=False)
class Member:
    """An encoder of the pool.

    Attributes:
        actor: Its process.
        gpus: Share of a GPU that it holds.
        is_open: Whether its model is loaded.
        calls: How many it has.
        asked_at: When it was asked to load its model.
        is_reserved: Whether its call has it to itself.
        is_leaving: Whether it ends when its calls are done, as others of more use are open.
        is_ended: Whether it was ended, and did not die.
        faults: How often in a row its device broke, in the processes before it too.
        node_id: Where it is, once it is open.
    """

    actor: Any
    gpus: float = 0.0
    is_open: bool = False
    calls: int = 0
    asked_at: float = field(default_factory=time.monotonic)
    is_reserved: bool = False
    is_leaving: bool = False
    is_ended: bool = False
    faults: int = 0
    node_id: str | None = None

    def takes(self, *, alone: bool) -> bool:
        """Whether it takes a call; frames that are to be alone get it to themselves: its death has one cause then."""
        return (
            self.is_open and not (self.is_reserved or self.is_leaving) and self.calls < (1 if alone else _CALLS_AT_ONCE)
        )


@dataclass
class _Call(Generic[P]):
    member: Member
    parts: list[P]


@dataclass
class EncoderPool(Generic[P]):
    """Opens encoders, hands them batches, and replaces those that died for good or whose device is past use.

    What it waits for is in `waitables`; what of that is ready goes to `collect`. With `kept`, encoders that are open
    already are taken from there first, and those that are sound at the end go there.
    """

    encoder: Encoder
    shares: Shares
    retries: int
    kept: KeptEncoders | None = None
    preprocessing: Preprocessing | None = None
    _members: list[Member] = field(default_factory=list)
    _asked: Any = None
    _asked_of: Member | None = None
    _opening: dict[Any, Member] = field(default_factory=dict)
    _calls: dict[Any, _Call[P]] = field(default_factory=dict)
    _deaths: int = 0
    _given_up: int = 0
    _load_seconds: float = 0.0
    _busy_seconds: float = 0.0

    def start(self) -> None:
        """Start the encoders; starting twice changes nothing."""
        if self._members:
            return
        if self.kept is not None:
            self._members = self.kept.take(self._kind, self.shares.encoders)
        new = [self._add() for _ in range(self.shares.encoders - len(self._members))]
        self._ask(self._members[0])
        for member in new:
            self._open(member)

    def waitables(self) -> list[Any]:
        """References that something is expected of."""
        asked = [] if self._asked is None else [self._asked]
        return [*self._calls, *asked, *self._opening]

    @property
    def times(self) -> EncoderTimes:
        """What the encoders have spent so far, a process's start with its loading."""
        return EncoderTimes(load_seconds=self._load_seconds, busy_seconds=self._busy_seconds)

    @property
    def is_busy(self) -> bool:
        """Whether any of them has a call."""
        return bool(self._calls)

    @property
    def open_count(self) -> int:
        """Encoders that take calls, now or later, and at least one."""
        return max(1, len(self._open_members))

    @property
    def nodes(self) -> frozenset[str | None]:
        """The nodes that have an encoder that takes calls."""
        return frozenset(member.node_id for member in self._open_members)

    def takers(self) -> list[Member]:
        """The encoders that take another call, those with least to do first."""
        return sorted((each for each in self._members if each.takes(alone=False)), key=lambda each: each.calls)

    def room(self, *, alone: bool = False) -> bool:
        """Whether an encoder takes another call now, or one that is to be alone."""
        return any(member.takes(alone=alone) for member in self._members)

    def submit(self, parts: Sequence[P], member: Member) -> None:
        """Encode these batches in one call of an encoder that takes it."""
        alone = parts[0].alone
        call = member.actor.encode.remote(*(part.pixels for part in parts))
        member.calls += 1
        member.is_reserved = alone
        self._calls[call] = _Call(member, list(parts))

    def resize(self, shares: Shares) -> None:
        """The cluster has another size: start the encoders that it has room for now; none that works is ended.

        Where the first GPUs have joined, encoders on processors go on until one on a GPU is open. Those whose GPU has
        left would wait for it for ever: their calls are answered as those of encoders that died.
        """
        if (shares.encoders, shares.encoder_gpus) != (self.shares.encoders, self.shares.encoder_gpus):
            # Devices that were past use may have left, and others have joined.
            self._given_up = 0
        self.shares = shares
        if not self._members:
            return
        for member in self._stranded():
            self._end(member)
        for member in self._fitting:
            member.is_leaving = False
        self._fill_up()
        self._ask_again()

    def collect(self, reference: Any) -> list[tuple[P, Vectors | Failure | Lost | None]]:
        """Take in what is ready: each batch with its vectors, its failure, or None where it must be tried again.

        A batch on which an encoder died has one death more; one whose pixels were gone before they were encoded is
        `Lost`.

        Raises:
            MomentseekError: The model cannot be used.
            ExecutionError: Encoders die again and again.
        """
        if reference in self._calls:
            return self._encoded(reference)
        answer = self._answer(reference)
        if reference is self._asked:
            self._asked, self.preprocessing = None, answer
        else:
            member = self._opening.pop(reference)
            if isinstance(answer, DeviceFault):
                self._replace(member, answer.problem)
                return []
            member.is_open, member.node_id = True, answer
            self._load_seconds += time.monotonic() - member.asked_at
            self._part_with_others()
        return []

    def close(self) -> None:
        """End the encoders' processes, or keep them."""
        if self.kept is not None:
            sound = [member for member in self._fitting if member.is_open and member.calls == member.faults == 0]
            self._members = [member for member in self._members if member not in sound]
            self.kept.keep(self._kind, sound)
        for member in self._members:
            ray.kill(member.actor)
        self._members.clear()

    @property
    def _kind(self) -> tuple[Encoder, float, float]:
        """What encoders of two batches have in common where one does for the other."""
        return self.encoder, self.shares.encoder_cpus, self.shares.encoder_gpus

    @property
    def _fitting(self) -> list[Member]:
        """The encoders that hold what those of this cluster should."""
        return [member for member in self._members if member.gpus == self.shares.encoder_gpus]

    @property
    def _open_members(self) -> list[Member]:
        return [member for member in self._members if member.is_open and not member.is_leaving]

    @property
    def _others(self) -> list[Member]:
        return [member for member in self._members if member.gpus != self.shares.encoder_gpus]

    @property
    def _missing(self) -> int:
        """How many more there is room for; below zero where there are too many."""
        return self.shares.encoders - self._given_up - len(self._fitting)

    def _fill_up(self, *, faults: int = 0) -> None:
        for _ in range(self._missing):
            self._open(self._add(faults=faults))

    def _stranded(self) -> list[Member]:
        """Those whose GPU has left: Ray starts them again only where there is another."""
        if not self.shares.encoder_gpus:
            return self._others
        nodes = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
        # Of those that are not open it is not known; whichever of them is left gets what there is.
        lost = sorted((each for each in self._fitting if each.node_id not in nodes), key=lambda each: not each.is_open)
        return lost[: max(0, -self._missing)]

    def _part_with_others(self) -> None:
        """End the encoders that another kind takes the place of, each when its calls are done."""
        if any(member.is_open for member in self._fitting):
            for member in self._others:
                member.is_leaving = True
                if member.calls == 0:
                    self._end(member)
            self._ask_again()

    def _ask(self, member: Member) -> None:
        """Ask for the preprocessing, which each of them has before its model is loaded."""
        self._asked, self._asked_of = member.actor.preprocessing.remote(), member

    def _ask_again(self) -> None:
        """Ask another one where the one that was asked has been ended."""
        if self._asked is not None and self._asked_of not in self._members:
            self._ask(self._members[0])

    def _end(self, member: Member) -> None:
        """End an encoder; what it has not answered is answered by its death."""
        member.is_ended = True
        ray.kill(member.actor)
        self._members.remove(member)
        self._opening = {call: opening for call, opening in self._opening.items() if opening is not member}

    def _add(self, *, faults: int = 0, gpus: float | None = None) -> Member:
        gpus = self.shares.encoder_gpus if gpus is None else gpus
        actor = ray.remote(EncoderProcess).options(
            num_cpus=self.shares.encoder_cpus,
            num_gpus=gpus,
            scheduling_strategy="SPREAD",
            max_restarts=self.retries,
            max_task_retries=self.retries,
        )
        member = Member(actor.remote(self.encoder, on_gpu=gpus > 0), gpus, faults=faults)
        self._members.append(member)
        return member

    def _open(self, member: Member) -> None:
        self._opening[member.actor.open.remote()] = member

    def _answer(self, reference: Any) -> Any:
        try:
            answer = ray.get(reference)
        except RayTaskError as error:
            raise _own(error) from error
        except RayError as error:
            raise ExecutionError(
                f"the encoder's process could not start, or died {self.retries + 1} times while it loaded the model"
                f" ({_line(error)}); the model may need more memory"
            ) from error
        if isinstance(answer, MomentseekError):
            raise answer
        return answer

    def _encoded(self, reference: Any) -> list[tuple[P, Vectors | Failure | Lost | None]]:
        call = self._calls.pop(reference)
        call.member.calls -= 1
        call.member.is_reserved = False
        try:
            answer = ray.get(reference)
        except (RayActorError, OutOfMemoryError) as error:
            # Ray has an error of its own for an actor that it stopped for want of memory.
            return self._bereaved(call, error)
        except RayTaskError as error:
            if not isinstance(error.cause, RayError):
                raise _own(error) from error
            return self._gone(call, error.cause)
        except RayError as error:
            return self._gone(call, error)
        if isinstance(answer, DeviceFault):
            return self._broken(call, answer.problem)
        self._deaths = call.member.faults = 0
        # Ray may have started it again elsewhere.
        call.member.node_id = answer.node_id
        self._busy_seconds += answer.busy_seconds
        self._part_with_others()
        return list(zip(call.parts, answer.results, strict=True))

    def _broken(self, call: _Call[P], problem: str) -> list[tuple[P, Vectors | Failure | Lost | None]]:
        """Put a fresh process in the place of one whose device broke; its calls are done again."""
        self._replace(call.member, problem)
        if call.parts[0].deaths + 1 < _FAULTS_OF_FRAMES:
            return _blamed(call.parts)
        said = f"the encoder's device broke on its frames {_FAULTS_OF_FRAMES} times, at last on them alone: {problem}"
        return [(call.parts[0], Failure(said))]

    def _replace(self, member: Member, problem: str) -> None:
        if member not in self._members:
            return
        self._members.remove(member)
        # Nothing clears a broken CUDA context but the end of its process.
        ray.kill(member.actor)
        faults = member.faults + 1
        _log.warning("an encoder's device is past use, %d times in a row: %s", faults, problem)
        if faults >= _FAULTS_OF_DEVICE:
            self._given_up += 1
        else:
            self._fill_up(faults=faults)
        if not self._members:
            raise ExecutionError(
                f"the encoder's device broke {faults} times in a row, each time in a fresh process: {problem}."
                " Look at the device, and at what else uses it"
            )

    def _take_place_of(self, member: Member) -> None:
        """Start another in place of one that died."""
        if member.gpus != self.shares.encoder_gpus and not any(each.is_open for each in self._fitting):
            # It was to work until one on a GPU is open, and that may be long: others may hold the GPU.
            self._open(self._add(gpus=member.gpus))
        else:
            self._fill_up()
        if not self._members:
            raise ExecutionError("the last encoder died, and the devices that are left broke too often")

    def _gone(self, call: _Call[P], error: RayError) -> list[tuple[P, Vectors | Failure | Lost | None]]:
        gone = Lost(f"its frames were lost on their way to the encoder ({_line(error)})")
        return [(part, gone) for part in call.parts]

    def _bereaved(self, call: _Call[P], error: RayError) -> list[tuple[P, Vectors | Failure | Lost | None]]:
        """Replace the member that died; only frames on which encoders died twice, alone at last, are to blame.

        One that was ended here died of nothing that is in its frames, nor did others of its process if they are told so
        later.
        """
        if call.member.is_ended:
            return [(part, None) for part in call.parts]
        if call.member in self._members:
            self._members.remove(call.member)
            self._take_place_of(call.member)
        if not call.parts[0].alone:
            return _blamed(call.parts)
        self._deaths += 1
        problem = f"the encoder's process died on its frames, and again on them alone ({_line(error)})"
        if self._deaths >= _DEATHS_ALLOWED:
            raise ExecutionError(f"{problem}, {self._deaths} calls in a row; it may need more memory")
        return [(call.parts[0], Failure(problem))]


def _blamed(parts: Sequence[P]) -> list[tuple[P, Vectors | Failure | Lost | None]]:
    """Batches that are to be tried again, alone, since an encoder died on one of them."""
    for part in parts:
        part.deaths += 1
    return [(part, None) for part in parts]


def _own(error: RayTaskError) -> MomentseekError:
    """The error of ours inside of Ray's, or one that says what happened."""
    if isinstance(error.cause, MomentseekError):
        return error.cause
    return ExecutionError(f"unexpected {type(error.cause).__name__} in the encoder's process: {error.cause}")


def _line(error: RayError) -> str:
    """The line that says most: an error in a constructor comes as a traceback, others begin with what happened."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1 if "creation task" in lines[0] else 0].rstrip(".")
