"""Submits batches of frames to encoder actors, and collects their embeddings in the driver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import ray
from ray.exceptions import OutOfMemoryError, RayActorError, RayError, RayTaskError

from pipeline.encode.protocol import Encoder, Preprocessing
from pipeline.errors import ExecutionError
from pipeline.execution.per_video.messages import Failure, Lost, Vectors
from pipeline.execution.progress import EncoderTimes
from pipeline.execution.ray.cluster import Shares
from pipeline.execution.ray.encoder_actors import EncoderActor, EncoderActors, IdleEncoders, line_of, own_error
from pipeline.execution.ray.remote_tasks import DeviceFault

__all__ = ["EncoderPool", "HasPixels"]

_DEATHS_ALLOWED = 3
# Frames are to blame for a fault of the device only after several: it may be the device's own.
_FAULTS_OF_FRAMES = 3


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


@dataclass
class _Call(Generic[P]):
    actor: EncoderActor
    batches: list[P]


class EncoderPool(Generic[P]):
    """Hands batches to encoders, and finds out what is to blame where one of them dies or its device breaks.

    What it waits for is in `pending_references`; what of that is ready goes to `collect`.

    Args:
        encoder: What they open.
        shares: How many, and what each holds.
        retries: How often Ray starts one again by itself.
        kept: Encoders of the batch before, and for the next one.
    """

    def __init__(self, encoder: Encoder, shares: Shares, retries: int, kept: IdleEncoders | None = None) -> None:
        self._actors = EncoderActors(encoder, shares, retries, kept)
        self._calls: dict[Any, _Call[P]] = {}
        self._deaths = 0
        self._busy_seconds = 0.0

    def start(self) -> None:
        """Start the encoders; starting twice changes nothing."""
        self._actors.start()

    def resize(self, shares: Shares) -> None:
        """The cluster has another size: start the encoders that it has room for now; none that works is ended.

        Calls of those whose GPU has left are answered as those of encoders that died, with nobody to blame.
        """
        self._actors.resize(shares)

    def close(self) -> None:
        """End the encoders' processes, or keep them."""
        self._actors.close()

    @property
    def preprocessing(self) -> Preprocessing | None:
        """The encoder's, as soon as one of them has said it."""
        return self._actors.preprocessing

    def pending_references(self) -> list[Any]:
        """References that something is expected of."""
        return [*self._calls, *self._actors.pending_references()]

    @property
    def times(self) -> EncoderTimes:
        """What the encoders have spent so far, a process's start with its loading."""
        return EncoderTimes(load_seconds=self._actors.load_seconds, busy_seconds=self._busy_seconds)

    @property
    def is_busy(self) -> bool:
        """Whether any of them has a call."""
        return bool(self._calls)

    @property
    def open_count(self) -> int:
        """Encoders that take calls, now or later, and at least one."""
        return max(1, len(self._actors.open))

    @property
    def nodes(self) -> frozenset[str | None]:
        """The nodes that have an encoder that takes calls."""
        return frozenset(actor.node_id for actor in self._actors.open)

    def takers(self) -> list[EncoderActor]:
        """The encoders that take another call, those with least to do first."""
        return sorted((each for each in self._actors if each.takes(alone=False)), key=lambda each: each.calls)

    def room(self, *, alone: bool = False) -> bool:
        """Whether an encoder takes another call now, or one that is to be alone."""
        return any(actor.takes(alone=alone) for actor in self._actors)

    def submit(self, batches: Sequence[P], actor: EncoderActor) -> None:
        """Encode these batches in one call of an encoder that takes it."""
        alone = batches[0].alone
        call = actor.handle.encode.remote(*(batch.pixels for batch in batches))
        actor.calls += 1
        actor.is_reserved = alone
        self._calls[call] = _Call(actor, list(batches))

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
        self._actors.collect(reference)
        return []

    def _encoded(self, reference: Any) -> list[tuple[P, Vectors | Failure | Lost | None]]:
        call = self._calls.pop(reference)
        call.actor.calls -= 1
        call.actor.is_reserved = False
        try:
            answer = ray.get(reference)
        except (RayActorError, OutOfMemoryError) as error:
            # Ray has an error of its own for an actor that it stopped for want of memory.
            return self._bereaved(call, error)
        except RayTaskError as error:
            if not isinstance(error.cause, RayError):
                raise own_error(error) from error
            return self._gone(call, error.cause)
        except RayError as error:
            return self._gone(call, error)
        if isinstance(answer, DeviceFault):
            return self._broken(call, answer.problem)
        self._deaths = call.actor.faults = 0
        # Ray may have started it again elsewhere.
        call.actor.node_id = answer.node_id
        self._busy_seconds += answer.busy_seconds
        self._actors.release_others()
        return list(zip(call.batches, answer.results, strict=True))

    def _broken(self, call: _Call[P], problem: str) -> list[tuple[P, Vectors | Failure | Lost | None]]:
        """Put a fresh process in the place of one whose device broke; its calls are done again."""
        self._actors.replace_broken(call.actor, problem)
        if call.batches[0].deaths + 1 < _FAULTS_OF_FRAMES:
            return _blamed(call.batches)
        said = f"the encoder's device broke on its frames {_FAULTS_OF_FRAMES} times, at last on them alone: {problem}"
        return [(call.batches[0], Failure(said))]

    def _gone(self, call: _Call[P], error: RayError) -> list[tuple[P, Vectors | Failure | Lost | None]]:
        gone = Lost(f"its frames were lost on their way to the encoder ({line_of(error)})")
        return [(batch, gone) for batch in call.batches]

    def _bereaved(self, call: _Call[P], error: RayError) -> list[tuple[P, Vectors | Failure | Lost | None]]:
        """Replace the actor that died; only frames on which encoders died twice, alone at last, are to blame.

        One that was ended here died of nothing that is in its frames.
        """
        if call.actor.is_ended:
            return [(batch, None) for batch in call.batches]
        self._actors.replace_dead(call.actor)
        if not call.batches[0].alone:
            return _blamed(call.batches)
        self._deaths += 1
        problem = f"the encoder's process died on its frames, and again on them alone ({line_of(error)})"
        if self._deaths >= _DEATHS_ALLOWED:
            raise ExecutionError(f"{problem}, {self._deaths} calls in a row; it may need more memory")
        return [(call.batches[0], Failure(problem))]


def _blamed(batches: Sequence[P]) -> list[tuple[P, Vectors | Failure | Lost | None]]:
    """Batches that are to be tried again, alone, since an encoder died on one of them."""
    for batch in batches:
        batch.deaths += 1
    return [(batch, None) for batch in batches]
