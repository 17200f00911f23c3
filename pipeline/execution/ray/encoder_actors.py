"""Start and track encoder actors, and replace those whose GPU or process is lost."""

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
# Number of faults in a row, each in a new process, after which a device is given up.
_MAX_DEVICE_FAULTS = 6


@dataclass(eq=False)
class EncoderActor:
    """An encoder actor: its process and its pending calls.

    Attributes:
        handle: Ray's handle of the process.
        gpus: Share of a GPU that the actor reserves.
        is_open: Whether its model is loaded.
        calls: Number of its pending calls.
        requested_at: When it was asked to load its model.
        is_reserved: Whether its current call must be its only one.
        is_leaving: Whether it ends when its calls are done, because better actors are open.
        is_ended: Whether it was ended because it was superfluous or lost its GPU, and did not die.
        faults: Number of faults of its device in a row, including those of the processes it replaced.
        node_id: The node where it runs, once it is open.
    """

    handle: Any
    gpus: float = 0.0
    is_open: bool = False
    calls: int = 0
    requested_at: float = field(default_factory=time.monotonic)
    is_reserved: bool = False
    is_leaving: bool = False
    is_ended: bool = False
    faults: int = 0
    node_id: str | None = None

    def accepts(self, *, alone: bool) -> bool:
        """Whether it accepts a call; a call that must be alone is its only one, so that a death has only one cause."""
        return (
            self.is_open and not (self.is_reserved or self.is_leaving) and self.calls < (1 if alone else _CALLS_AT_ONCE)
        )


@dataclass
class EncoderActors:
    """Starts the encoder actors that fit the cluster, and replaces those that died or whose device broke.

    Results are awaited on `pending_references`; each one that is ready is passed to `collect`.

    Args:
        encoder: The encoder that the actors open.
        shares: Number of actors, and the resources of each.
        retries: How often Ray restarts an actor by itself.
        idle: Provides open actors of the batch before, and stores usable ones for the next batch.

    Attributes:
        preprocessing: The encoder's preprocessing, once an actor has returned it.
        load_seconds: Time that the actors have spent loading their models.
    """

    encoder: Encoder
    shares: Shares
    retries: int
    idle: IdleEncoders | None = None
    preprocessing: Preprocessing | None = None
    load_seconds: float = 0.0
    _all: list[EncoderActor] = field(default_factory=list)
    _preprocessing_call: Any = None
    _preprocessing_actor: EncoderActor | None = None
    _opening: dict[Any, EncoderActor] = field(default_factory=dict)
    _devices_given_up: int = 0

    def __iter__(self) -> Iterator[EncoderActor]:
        return iter(self._all)

    def start(self) -> None:
        """Start the actors; starting twice changes nothing."""
        if self._all:
            return
        if self.idle is not None:
            self._all = self.idle.take(self._kind, self.shares.encoders)
        new = [self._add() for _ in range(self.shares.encoders - len(self._all))]
        self._request_preprocessing(self._all[0])
        for actor in new:
            self._open(actor)

    def pending_references(self) -> list[Any]:
        """Return the references of results that have not been collected."""
        preprocessing = [] if self._preprocessing_call is None else [self._preprocessing_call]
        return [*preprocessing, *self._opening]

    @property
    def open(self) -> list[EncoderActor]:
        """The actors that accept calls, now or when others are done."""
        return [actor for actor in self._all if actor.is_open and not actor.is_leaving]

    def collect(self, reference: Any) -> None:
        """Collect a result that is ready.

        Raises:
            MomentseekError: The model cannot be used.
            ExecutionError: Actors die, or their devices break, again and again.
        """
        answer = self._answer(reference)
        if reference is self._preprocessing_call:
            self._preprocessing_call, self.preprocessing = None, answer
            return
        actor = self._opening.pop(reference)
        if isinstance(answer, DeviceFault):
            self.replace_broken(actor, answer.problem)
            return
        actor.is_open, actor.node_id = True, answer
        self.load_seconds += time.monotonic() - actor.requested_at
        self.release_others()

    def resize(self, shares: Shares) -> None:
        """Start the actors that now fit a cluster whose size has changed; working actors are not ended.

        When the first GPUs join, actors on processors continue until one on a GPU is open. Actors whose GPU has left
        would wait for it without end, so they are ended.
        """
        if (shares.encoders, shares.encoder_gpus) != (self.shares.encoders, self.shares.encoder_gpus):
            # Devices that were given up may have left, and others have joined.
            self._devices_given_up = 0
        self.shares = shares
        if not self._all:
            return
        for actor in self._stranded():
            self._end(actor)
        for actor in self._fitting:
            actor.is_leaving = False
        self._fill_up()
        self._renew_preprocessing_request()

    def release_others(self) -> None:
        """End the actors on other devices that open actors replace, each when its calls are done."""
        if any(actor.is_open for actor in self._fitting):
            for actor in self._others:
                actor.is_leaving = True
                if actor.calls == 0:
                    self._end(actor)
            self._renew_preprocessing_request()

    def replace_dead(self, actor: EncoderActor) -> None:
        """Replace an actor that died, and end it; repeating this for the same actor changes nothing.

        Raises:
            ExecutionError: No actor is left.
        """
        if actor not in self._all:
            return
        self._all.remove(actor)
        # Ray may restart an actor that it reported as dead or unavailable, for example when its node was lost. Such an
        # actor would keep resources that are meant for others.
        ray.kill(actor.handle)
        if actor.gpus != self.shares.encoder_gpus and not any(each.is_open for each in self._fitting):
            # Other programs may hold the GPU for long, so an actor on processors is needed until one on a GPU opens.
            self._open(self._add(gpus=actor.gpus))
        else:
            self._fill_up()
        if not self._all:
            raise ExecutionError("the last encoder died, and the remaining devices broke too often")

    def replace_broken(self, actor: EncoderActor, problem: str) -> None:
        """Start a new process in place of an actor whose device broke; repeating this changes nothing.

        Raises:
            ExecutionError: The device broke too often, and there is no other.
        """
        if actor not in self._all:
            return
        self._all.remove(actor)
        # A broken CUDA context can only be cleared by ending its process.
        ray.kill(actor.handle)
        faults = actor.faults + 1
        _log.warning("an encoder's device became unusable, %d times in a row: %s", faults, problem)
        if faults >= _MAX_DEVICE_FAULTS:
            self._devices_given_up += 1
        else:
            self._fill_up(faults=faults)
        if not self._all:
            raise ExecutionError(
                f"the encoder's device broke {faults} times in a row, each time in a new process: {problem}."
                " Check the device, and what else uses it"
            )

    def close(self) -> None:
        """End the actors, or store them for the next batch."""
        if self.idle is not None:
            usable = [actor for actor in self._fitting if actor.is_open and actor.calls == actor.faults == 0]
            self._all = [actor for actor in self._all if actor not in usable]
            self.idle.keep(self._kind, usable)
        for actor in self._all:
            ray.kill(actor.handle)
        self._all.clear()

    @property
    def _kind(self) -> tuple[Encoder, float, float]:
        """The properties in which the actors of two batches must agree to be exchangeable."""
        return self.encoder, self.shares.encoder_cpus, self.shares.encoder_gpus

    @property
    def _fitting(self) -> list[EncoderActor]:
        """The actors on the kind of device that the cluster now provides."""
        return [actor for actor in self._all if actor.gpus == self.shares.encoder_gpus]

    @property
    def _others(self) -> list[EncoderActor]:
        return [actor for actor in self._all if actor.gpus != self.shares.encoder_gpus]

    @property
    def _missing(self) -> int:
        """How many more actors there is room for; negative if there are too many."""
        return self.shares.encoders - self._devices_given_up - len(self._fitting)

    def _fill_up(self, *, faults: int = 0) -> None:
        for _ in range(self._missing):
            self._open(self._add(faults=faults))

    def _stranded(self) -> list[EncoderActor]:
        """The actors whose GPU has left: Ray restarts them only if there is another."""
        if not self.shares.encoder_gpus:
            return self._others
        nodes = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
        # It is unknown where actors run that are not open; any of them can use the resources that are left.
        lost = sorted(
            (actor for actor in self._fitting if actor.node_id not in nodes), key=lambda actor: not actor.is_open
        )
        return lost[: max(0, -self._missing)]

    def _request_preprocessing(self, actor: EncoderActor) -> None:
        """Request the preprocessing from an actor, which has it before its model is loaded."""
        self._preprocessing_call, self._preprocessing_actor = actor.handle.preprocessing.remote(), actor

    def _renew_preprocessing_request(self) -> None:
        """Request the preprocessing from another actor if the one that was asked has been ended."""
        if self._preprocessing_call is not None and self._preprocessing_actor not in self._all:
            self._request_preprocessing(self._all[0])

    def _end(self, actor: EncoderActor) -> None:
        """End an actor; its pending calls then fail."""
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
    """Return the momentseek error inside an error of Ray, or a new one that describes it."""
    if isinstance(error.cause, MomentseekError):
        return error.cause
    return ExecutionError(f"unexpected {type(error.cause).__name__} in the encoder's process: {error.cause}")


def line_of(error: RayError) -> str:
    """Return the most informative line: errors in a constructor come as a traceback, others begin with the reason."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1 if "creation task" in lines[0] else 0].rstrip(".")


@dataclass
class IdleEncoders:
    """Encoder actors with loaded models that one batch has finished with, for the next batch.

    Meanwhile they occupy their processors, GPUs and memory; a batch that needs other actors ends them.
    """

    _kind: Any = None
    _actors: list[EncoderActor] = field(default_factory=list)

    def keep(self, kind: object, actors: Sequence[EncoderActor]) -> None:
        """Store encoder actors for the next batch.

        Args:
            kind: The encoder and resources that the next batch must need.
            actors: The actors; they have no pending calls.
        """
        self.close()
        self._kind, self._actors = kind, list(actors)

    def take(self, kind: object, count: int) -> list[EncoderActor]:
        """Return up to `count` stored actors of this kind, and end all others."""
        matching = self._actors[:count] if kind == self._kind else []
        self._actors = [actor for actor in self._actors if actor not in matching]
        self.close()
        return matching

    def close(self) -> None:
        """End all stored actors."""
        for actor in self._actors:
            ray.kill(actor.handle)
        self._actors.clear()
