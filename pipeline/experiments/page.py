"""The page of an experiment's result."""

from __future__ import annotations

from pipeline.experiments.results import ExperimentResult, VariantResult
from pipeline.present.experiment_figures import ExperimentFigures, VariantFigures
from pipeline.present.experiment_page import experiment_page
from pipeline.run_config import RunConfig
from pipeline.video import IndexedVideos, make_decoder

__all__ = ["result_page"]


def result_page(result: ExperimentResult, config: RunConfig) -> str:
    """One HTML document that needs nothing else.

    Args:
        result: What is shown.
        config: Says how videos are read for pictures; the first variant's will do.
    """
    embedded = result.embedded
    figures = ExperimentFigures(
        title=result.experiment.title,
        labelled=result.experiment.labelled,
        variants=tuple(map(_figures, result.variants)),
        videos=len(set(embedded.video_ids.values())),
        video_seconds=result.variants[0].kept.video_seconds,
        distinct_frames=result.distinct_frames,
        decoded=(embedded.videos_read, embedded.frames_decoded, embedded.frames_encoded),
        seconds=result.seconds,
        data_fingerprint=result.data_fingerprint,
    )
    places: dict[str, list[str]] = {}
    for uri, video_id in embedded.video_ids.items():
        places.setdefault(video_id, []).append(uri)
    decoder = make_decoder(config.decoding, config.fetching)
    return experiment_page(
        figures, videos=IndexedVideos(decoder, config.fetching, lambda video_id: places.get(video_id, ()))
    )


def _figures(result: VariantResult) -> VariantFigures:
    costs = {
        "frames": result.kept.frames_an_hour,
        "megabytes": result.kept.megabytes_an_hour,
        "rows": float(result.segments),
    }
    if result.decoding is not None:
        costs["decoding"] = result.decoding.seconds_an_hour
    return VariantFigures(
        name=result.name,
        changes=result.changes,
        evaluation=result.evaluation,
        costs=costs,
        frames=result.kept.frames,
        search_seconds=result.search_seconds,
        versions=result.versions,
        made_at=result.made_at,
    )
