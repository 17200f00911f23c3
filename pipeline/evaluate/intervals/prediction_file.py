"""Reader of predicted intervals: JSON Lines or CSV, as written by momentseek's commands and other programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError
from pipeline.evaluate.intervals.interval_files import csv_rows, interval_of, is_number, json_rows, text_of
from pipeline.evaluate.label_formats import label_file_text
from pipeline.parsing import shown
from pipeline.timecode import parse_seconds

__all__ = ["PredictedInterval", "read_predictions"]

# Other names of a prediction's columns, among them those of `momentseek labels` and `momentseek check`.
_PREDICTION_KEYS = {
    "video": ("video_id", "video", "uri"),
    "label": ("label", "rule"),
    "start": ("start_seconds", "start"),
    "end": ("end_seconds", "end"),
    "confidence": ("confidence", "score"),
    "peak": ("peak_seconds", "peak"),
}


@dataclass(frozen=True)
class PredictedInterval:
    """An interval in which a video is predicted to show a label.

    Attributes:
        video: The video's id, name, file name or path.
        label: The label, or the rule of a policy.
        start_seconds: First second.
        end_seconds: First second after it.
        confidence: Confidence of the prediction, 0 to 1.
        peak_seconds: Time of its best frame.
    """

    video: str
    label: str
    start_seconds: float
    end_seconds: float
    confidence: float
    peak_seconds: float


def read_predictions(path: str | Path) -> list[PredictedInterval]:
    """Read predicted intervals: JSON Lines or CSV, as `momentseek labels --segments` and `momentseek check` write them.

    Videos that could not be checked (`"kind": "unchecked"`) are an error: they cannot be scored.

    Raises:
        ConfigError: As for `read_interval_set`; also if the file has no prediction.
    """
    text = label_file_text(path)
    first = next((line.strip() for line in text.split("\n") if line.strip()), "")
    rows = json_rows(text, str(path)) if first.startswith("{") or not first else csv_rows(text, str(path))
    found = []
    for number, row in rows:
        try:
            found.append(_prediction(row))
        except ValueError as error:
            raise ConfigError(f"{path}, line {number}: {error}") from error
    return found


def _prediction(row: Mapping[str, Any]) -> PredictedInterval:
    if row.get("kind", "flag") not in ("flag", "interval"):
        what = row.get("problems") or row["kind"]
        raise ValueError(f"is no predicted interval ({shown(what)}); a video that was not checked cannot be scored")
    cells = {name: next((row[key] for key in keys if key in row), None) for name, keys in _PREDICTION_KEYS.items()}
    start, end = interval_of([_number(cells["start"]), _number(cells["end"])], None)
    confidence = _number(cells["confidence"])
    if not isinstance(confidence, float) or not 0 <= confidence <= 1:
        raise ValueError(f"expected a confidence from 0 to 1, got {shown(cells['confidence'])}")
    peak = (start + end) / 2 if cells["peak"] is None else _number(cells["peak"])
    if not isinstance(peak, float) or not start <= peak <= end:
        raise ValueError(f"expected a peak within the interval, in seconds, got {shown(cells['peak'])}")
    return PredictedInterval(text_of(cells, "video"), text_of(cells, "label"), start, end, confidence, peak)


def _number(value: object) -> object:
    """Convert a CSV cell to a number, if it is one; other values are returned as they are, for the message."""
    if isinstance(value, str):
        try:
            return parse_seconds(value)
        except ValueError:
            return value
    return float(value) if is_number(value) and isinstance(value, int | float) else value
