"""A batch on its way into a library: what its videos go through, and what is noted of them."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

from pipeline.encode import Encoder
from pipeline.execution import Executor, Stages
from pipeline.index import MomentIndex
from pipeline.run_config import RunConfig
from pipeline.run_log import RunRecorder
from pipeline.store import FailureLog, ParquetStore
from pipeline.types import Source, VideoReport
from pipeline.video import make_decoder

__all__ = ["recorded", "stages_of"]


def stages_of(config: RunConfig, encoder: Encoder, store: ParquetStore, index: MomentIndex) -> Stages:
    """What the configuration says of each stage, made."""
    return Stages(
        decoder=make_decoder(config.decoding, config.fetching),
        sampler=config.sampling,
        encoder=encoder,
        store=store,
        recipe=config.row_recipe,
        index=index,
        fetching=config.fetching,
    )


def recorded(
    executor: Executor, batch: Sequence[Source], recorder: RunRecorder, failures: FailureLog
) -> Iterator[VideoReport]:
    """Run a batch, and pass its reports on when the run's report and the list of failures have them.

    Raises:
        StoreError: The failures of earlier runs cannot be listed.
    """
    failures.open()
    with recorder:
        reports = executor.run(batch)
        try:
            for report in reports:
                failures.remember(report)
                recorder.ended(report)
                yield report
        finally:
            if isinstance(reports, Generator):
                reports.close()
