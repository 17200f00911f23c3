"""Routes of labels: the intervals in which videos show each label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import PurePath
from typing import Annotated, Any

from fastapi import APIRouter, Query

from pipeline.library.analysis.label_views import LabelView, NamedLabels, label_sets, open_view
from pipeline.serve.served_library import Served, ServedLibrary
from pipeline.types import VideoRecord
from pipeline.uris import public_name, public_text

__all__ = ["routes"]

routes = APIRouter(tags=["labels"])

LabelSetName = Annotated[
    str | None,
    Query(max_length=400, description="Name or fingerprint of a label set; by default the one applied last."),
]
MinScore = Annotated[float, Query(ge=0, le=1, description="Minimum confidence of an interval.")]


@routes.get("/labels")
def labels(
    served: Served,
    label_set: LabelSetName = None,
    *,
    totals: Annotated[
        bool, Query(description="Count videos, intervals and time of each label; reads all of them.")
    ] = False,
    by: Annotated[
        str | None, Query(max_length=400, description="Totals by `video`, `hour`, or an entry of metadata.")
    ] = None,
    min_score: MinScore = 0.0,
) -> dict[str, Any]:
    """List the labels of the library's videos, and the label sets that were applied to it."""
    sets = label_sets(served.library)
    fields: dict[str, Any] = {"label_set": None, "labels": [], "totals": None}
    fields["label_sets"] = list(map(_label_set_json, sets))
    if not sets and label_set is None:
        return fields
    view = _view(served, served.library.survey()[0] if totals or by else (), label_set)
    fields |= {
        "label_set": _label_set_json(view.chosen),
        "labels": [{"label": label.name, "mode": label.mode} for label in view.chosen.snapshot.label_set.active],
    }
    if totals or by:
        fields["totals"] = [asdict(total) for total in view.totals(by, min_score)]
        fields |= {"unlabelled": view.unlabelled, "problems": [public_text(str(error)) for error in view.problems]}
    return fields


@routes.get("/videos/{video_id}/labels")
def video_labels(
    served: Served, video_id: str, label_set: LabelSetName = None, min_score: MinScore = 0.0
) -> dict[str, Any]:
    """List the intervals of each label in a video; `is_labelled` is false if its frames were not labelled yet."""
    record = served.record(video_id)
    fields: dict[str, Any] = {"video_id": video_id, "label_set": None, "is_labelled": False, "labels": []}
    if label_set is None and not label_sets(served.library):
        return fields
    view = _view(served, [record], label_set)
    fields["label_set"] = _label_set_json(view.chosen)
    for _, tracks in view.tracks(min_score):
        fields["is_labelled"] = True
        fields["labels"] = [
            {"label": track.label, "intervals": [asdict(one) for one in track.intervals]}
            for track in tracks
            if track.label in view.tracked
        ]
    if view.problems:
        raise view.problems[0]
    return fields


def _view(served: ServedLibrary, records: Sequence[VideoRecord], label_set: str | None) -> LabelView:
    return open_view(served.library, records, label_set=label_set)


def _label_set_json(named: NamedLabels) -> dict[str, Any]:
    return {
        "name": public_name(PurePath(named.snapshot.name).name),
        "fingerprint": named.store.label_set_fingerprint,
        "is_current": named.is_current,
    }
