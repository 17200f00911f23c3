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

    @property
    def deaths(self) -> int:
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
        self._asked = self._members[0].actor.preprocessing.remote()
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
    def open_count(self) -> int:
        """Encoders whose model is loaded, and at least one."""
        return max(1, sum(member.is_open for member in self._members))

    @property
    def nodes(self) -> frozenset[str | None]:
        """The nodes that have an encoder whose model is loaded."""
        return frozenset(member.node_id for member in self._members if member.is_open)

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
        self.shares = shares
        if not self._members:
            return
        for member in self._stranded():
            self._end(member)
        self._fill_up()
        if self._asked is not None:
            self._asked = self._members[0].actor.preprocessing.remote()

    def collect(self, reference: Any) -> list[tuple[P, Vectors | Failure | Lost | None]]:
        """Take in what is ready: each batch with its vectors, its failure, or None where it must be tried alone.

        A batch whose pixels were gone before they were encoded is `Lost`.

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
        lost = [member for member in self._fitting if member.is_open and member.node_id not in nodes]
        return lost[: max(0, -self._missing)]

    def _part_with_others(self) -> None:
        """End the encoders that another kind takes the place of, each when its calls are done."""
        if any(member.is_open for member in self._fitting):
            for member in self._others:
                member.is_leaving = True
                if member.calls == 0:
                    self._end(member)

    def _end(self, member: Member) -> None:
        """End an encoder; what it has not answered is answered by its death."""
        ray.kill(member.actor)
        self._members.remove(member)
        self._opening = {call: opening for call, opening in self._opening.items() if opening is not member}

    def _add(self, *, faults: int = 0) -> Member:
        actor = ray.remote(EncoderProcess).options(
            num_cpus=self.shares.encoder_cpus,
            num_gpus=self.shares.encoder_gpus,
            scheduling_strategy="SPREAD",
            max_restarts=self.retries,
            max_task_retries=self.retries,
        )
        gpus = self.shares.encoder_gpus
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
            return [(part, None) for part in call.parts]
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

    def _gone(self, call: _Call[P], error: RayError) -> list[tuple[P, Vectors | Failure | Lost | None]]:
        gone = Lost(f"its frames were lost on their way to the encoder ({_line(error)})")
        return [(part, gone) for part in call.parts]

    def _bereaved(self, call: _Call[P], error: RayError) -> list[tuple[P, Vectors | Failure | Lost | None]]:
        """Replace the member that died; only frames on which encoders died twice, alone at last, are to blame."""
        if call.member in self._members:
            self._members.remove(call.member)
            self._fill_up()
        if not call.parts[0].alone:
            return [(part, None) for part in call.parts]
        self._deaths += 1
        problem = f"the encoder's process died on its frames, and again on them alone ({_line(error)})"
        if self._deaths >= _DEATHS_ALLOWED:
            raise ExecutionError(f"{problem}, {self._deaths} calls in a row; it may need more memory")
        return [(call.parts[0], Failure(problem))]


def _own(error: RayTaskError) -> MomentseekError:
    """The error of ours inside of Ray's, or one that says what happened."""
    if isinstance(error.cause, MomentseekError):
        return error.cause
    return ExecutionError(f"unexpected {type(error.cause).__name__} in the encoder's process: {error.cause}")


def _line(error: RayError) -> str:
    """The line that says most: an error in a constructor comes as a traceback, others begin with what happened."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1 if "creation task" in lines[0] else 0].rstrip(".")
