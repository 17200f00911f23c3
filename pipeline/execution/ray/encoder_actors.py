"""Starts and tracks encoder actors, and replaces those whose GPU or process is lost."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from pipeline.encode.protocol import Encoder, Preprocessing
from pipeline.errors import ExecutionError, MomentseekError
from pipeline.execution.ray.cluster import Shares
from pipeline.execution.ray.remote_tasks import DeviceFault, EncoderProcess

__all__ = ["EncoderActor", "EncoderActors", "IdleEncoders", "line_of", "own_error"]

_log = logging.getLogger(__name__)
# One call runs and one waits, so that an encoder never waits for the driver.
_CALLS_AT_ONCE = 2
# In a row, on fresh processes: then a device is given up.
_FAULTS_OF_DEVICE = 6


@dataclass(eq=False)
class EncoderActor:
    """An encoder actor: its process and its pending calls.

    Attributes:
        handle: Its process.
        gpus: Share of a GPU that it holds.
        is_open: Whether its model is loaded.
        calls: How many it has.
        asked_at: When it was asked to load its model.
        is_reserved: Whether its call has it to itself.
        is_leaving: Whether it ends when its calls are done, as others of more use are open.
        is_ended: Whether it was ended for want of use or of its GPU, and did not die.
        faults: How often in a row its device broke, in the processes before it too.
        node_id: Where it is, once it is open.
    """

    handle: Any
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
class EncoderActors:
    """Starts the encoder actors that fit the cluster, and replaces those that died or whose device broke.

    What is expected of them beside their calls is in `pending_references`; what of that is ready goes to `collect`.

    Args:
        encoder: What they open.
        shares: How many, and what each holds.
        retries: How often Ray starts one again by itself.
        kept: Where those that are open already are taken from first, and where those that are sound go at the end.

    Attributes:
        preprocessing: The encoder's, as soon as one of them has said it.
        load_seconds: What they have spent so far until their model was loaded.
    """

    encoder: Encoder
    shares: Shares
    retries: int
    kept: IdleEncoders | None = None
    preprocessing: Preprocessing | None = None
    load_seconds: float = 0.0
    _all: list[EncoderActor] = field(default_factory=list)
    _asked: Any = None
    _asked_of: EncoderActor | None = None
    _opening: dict[Any, EncoderActor] = field(default_factory=dict)
    _given_up: int = 0

    def __iter__(self) -> Iterator[EncoderActor]:
        return iter(self._all)

    def start(self) -> None:
        """Start them; starting twice changes nothing."""
        if self._all:
            return
        if self.kept is not None:
            self._all = self.kept.take(self._kind, self.shares.encoders)
        new = [self._add() for _ in range(self.shares.encoders - len(self._all))]
        self._ask(self._all[0])
        for actor in new:
            self._open(actor)

    def pending_references(self) -> list[Any]:
        """References to answers that have not been collected."""
        asked = [] if self._asked is None else [self._asked]
        return [*asked, *self._opening]

    @property
    def open(self) -> list[EncoderActor]:
        """Those that take calls, now or when they are done with others."""
        return [actor for actor in self._all if actor.is_open and not actor.is_leaving]

    def collect(self, reference: Any) -> None:
        """Collect the answer of a reference that is ready.

        Raises:
            MomentseekError: The model cannot be used.
            ExecutionError: They die, or their devices break, again and again.
        """
        answer = self._answer(reference)
        if reference is self._asked:
            self._asked, self.preprocessing = None, answer
            return
        actor = self._opening.pop(reference)
        if isinstance(answer, DeviceFault):
            self.replace_broken(actor, answer.problem)
            return
        actor.is_open, actor.node_id = True, answer
        self.load_seconds += time.monotonic() - actor.asked_at
        self.release_others()

    def resize(self, shares: Shares) -> None:
        """The cluster has another size: start those that it has room for now; none that works is ended.

        Where the first GPUs have joined, encoders on processors go on until one on a GPU is open. Those whose GPU has
        left would wait for it for ever, and are ended.
        """
        if (shares.encoders, shares.encoder_gpus) != (self.shares.encoders, self.shares.encoder_gpus):
            # Devices that were past use may have left, and others have joined.
            self._given_up = 0
        self.shares = shares
        if not self._all:
            return
        for actor in self._stranded():
            self._end(actor)
        for actor in self._fitting:
            actor.is_leaving = False
        self._fill_up()
        self._ask_again()

    def release_others(self) -> None:
        """End those that another kind takes the place of, each when its calls are done."""
        if any(actor.is_open for actor in self._fitting):
            for actor in self._others:
                actor.is_leaving = True
                if actor.calls == 0:
                    self._end(actor)
            self._ask_again()

    def replace_dead(self, actor: EncoderActor) -> None:
        """Start another in place of one that died; again for the same one changes nothing.

        Raises:
            ExecutionError: There is none left.
        """
        if actor not in self._all:
            return
        self._all.remove(actor)
        if actor.gpus != self.shares.encoder_gpus and not any(each.is_open for each in self._fitting):
            # It was to work until one on a GPU is open, and that may be long: others may hold the GPU.
            self._open(self._add(gpus=actor.gpus))
        else:
            self._fill_up()
        if not self._all:
            raise ExecutionError("the last encoder died, and the devices that are left broke too often")

    def replace_broken(self, actor: EncoderActor, problem: str) -> None:
        """Start a fresh process in place of one whose device broke; again for the same one changes nothing.

        Raises:
            ExecutionError: It broke too often, and there is no other.
        """
        if actor not in self._all:
            return
        self._all.remove(actor)
        # Nothing clears a broken CUDA context but the end of its process.
        ray.kill(actor.handle)
        faults = actor.faults + 1
        _log.warning("an encoder's device is past use, %d times in a row: %s", faults, problem)
        if faults >= _FAULTS_OF_DEVICE:
            self._given_up += 1
        else:
            self._fill_up(faults=faults)
        if not self._all:
            raise ExecutionError(
                f"the encoder's device broke {faults} times in a row, each time in a fresh process: {problem}."
                " Look at the device, and at what else uses it"
            )

    def close(self) -> None:
        """End the actors, or hand them on to the next batch."""
        if self.kept is not None:
            sound = [actor for actor in self._fitting if actor.is_open and actor.calls == actor.faults == 0]
            self._all = [actor for actor in self._all if actor not in sound]
            self.kept.keep(self._kind, sound)
        for actor in self._all:
            ray.kill(actor.handle)
        self._all.clear()

    @property
    def _kind(self) -> tuple[Encoder, float, float]:
        """What encoders of two batches have in common where one does for the other."""
        return self.encoder, self.shares.encoder_cpus, self.shares.encoder_gpus

    @property
    def _fitting(self) -> list[EncoderActor]:
        """The encoders that hold what those of this cluster should."""
        return [actor for actor in self._all if actor.gpus == self.shares.encoder_gpus]

    @property
    def _others(self) -> list[EncoderActor]:
        return [actor for actor in self._all if actor.gpus != self.shares.encoder_gpus]

    @property
    def _missing(self) -> int:
        """How many more there is room for; below zero where there are too many."""
        return self.shares.encoders - self._given_up - len(self._fitting)

    def _fill_up(self, *, faults: int = 0) -> None:
        for _ in range(self._missing):
            self._open(self._add(faults=faults))

    def _stranded(self) -> list[EncoderActor]:
        """Those whose GPU has left: Ray starts them again only where there is another."""
        if not self.shares.encoder_gpus:
            return self._others
        nodes = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
        # Of those that are not open it is not known; whichever of them is left gets what there is.
        lost = sorted((each for each in self._fitting if each.node_id not in nodes), key=lambda each: not each.is_open)
        return lost[: max(0, -self._missing)]

    def _ask(self, actor: EncoderActor) -> None:
        """Ask for the preprocessing, which each of them has before its model is loaded."""
        self._asked, self._asked_of = actor.handle.preprocessing.remote(), actor

    def _ask_again(self) -> None:
        """Ask another one where the one that was asked has been ended."""
        if self._asked is not None and self._asked_of not in self._all:
            self._ask(self._all[0])

    def _end(self, actor: EncoderActor) -> None:
        """End an encoder; what it has not answered is answered by its death."""
        actor.is_ended = True
        ray.kill(actor.handle)
        self._all.remove(actor)
        self._opening = {call: opening for call, opening in self._opening.items() if opening is not actor}

    def _add(self, *, faults: int = 0, gpus: float | None = None) -> EncoderActor:
        gpus = self.shares.encoder_gpus if gpus is None else gpus
        process = ray.remote(EncoderProcess).options(
            num_cpus=self.shares.encoder_cpus,
            num_gpus=gpus,
            scheduling_strategy="SPREAD",
            max_restarts=self.retries,
            max_task_retries=self.retries,
        )
        actor = EncoderActor(process.remote(self.encoder, on_gpu=gpus > 0), gpus, faults=faults)
        self._all.append(actor)
        return actor

    def _open(self, actor: EncoderActor) -> None:
        self._opening[actor.handle.open.remote()] = actor

    def _answer(self, reference: Any) -> Any:
        try:
            answer = ray.get(reference)
        except RayTaskError as error:
            raise own_error(error) from error
        except RayError as error:
            raise ExecutionError(
                f"the encoder's process could not start, or died {self.retries + 1} times while it loaded the model"
                f" ({line_of(error)}); the model may need more memory"
            ) from error
        if isinstance(answer, MomentseekError):
            raise answer
        return answer


def own_error(error: RayTaskError) -> MomentseekError:
    """The momentseek error inside an error of Ray, or a new one that describes it."""
    if isinstance(error.cause, MomentseekError):
        return error.cause
    return ExecutionError(f"unexpected {type(error.cause).__name__} in the encoder's process: {error.cause}")


def line_of(error: RayError) -> str:
    """The line that says most: an error in a constructor comes as a traceback, others begin with what happened."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1 if "creation task" in lines[0] else 0].rstrip(".")


@dataclass
class IdleEncoders:
    """Encoder actors with a loaded model that one batch has finished with, for the next batch.

    They hold their processors, GPUs and memory meanwhile; a batch that wants others ends them.
    """

    _kind: Any = None
    _actors: list[EncoderActor] = field(default_factory=list)

    def keep(self, kind: object, actors: Sequence[EncoderActor]) -> None:
        """Store encoder actors for the next batch.

        Args:
            kind: What the next batch must want: the encoder, and what each holds.
            actors: With nothing left to do.
        """
        self.close()
        self._kind, self._actors = kind, list(actors)

    def take(self, kind: object, most: int) -> list[EncoderActor]:
        """Return the stored actors of this kind, and end all others."""
        taken = self._actors[:most] if kind == self._kind else []
        self._actors = [actor for actor in self._actors if actor not in taken]
        self.close()
        return taken

    def close(self) -> None:
        """End all stored actors."""
        for actor in self._actors:
            ray.kill(actor.handle)
        self._actors.clear()
