"""WebVTT chapters (W3C, https://www.w3.org/TR/webvtt1/) of label tracks, for players that show them on the seek bar."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.analyze.labels.tracks import LabelTrack

__all__ = ["cue_time", "webvtt_chapters"]


def webvtt_chapters(tracks: Sequence[LabelTrack]) -> str:
    """Format the intervals of a video as WebVTT, one cue per interval, ordered by start, longer ones first.

    A cue's text is the label and its confidence, such as "forklift (93 %)". Times are rounded to milliseconds.
    """
    cues = sorted(
        (round(one.start_seconds * 1000), -round(one.end_seconds * 1000), track.label, one.confidence)
        for track in tracks
        for one in track.intervals
    )
    blocks = ["WEBVTT"]
    for start, minus_end, label, confidence in cues:
        end = max(-minus_end, start + 1)
        blocks.append(f"{cue_time(start)} --> {cue_time(end)}\n{_text(label)} ({100 * confidence:.0f} %)")
    return "\n\n".join(blocks) + "\n"


def cue_time(milliseconds: int) -> str:
    """Format a time as a cue needs it, such as "00:01:15.500"."""
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}.{milliseconds:03d}"


def _text(label: str) -> str:
    """Format a label as the text of a cue, on one line and without markup."""
    plain = "".join(each if each.isprintable() else " " for each in label)
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
