"""Short explanations of metrics."""

from __future__ import annotations

import re

__all__ = ["meaning_of"]

_MEANINGS = (
    (r"MR-full-mAP", "average precision over IoU 0.5 to 0.95"),
    (r"MR-full-mAP@(.+)", r"average precision at IoU \1"),
    (r"MR-full-R1@(.+)", r"first moment has IoU \1 or more"),
    (r"MR-full-R(\d+)@(.+)", r"one of the first \1 has IoU \2 or more"),
    (r"MR-full-mIoU", "IoU of the first moment"),
    (r"MR-short-mAP", "windows of up to 10 s"),
    (r"MR-middle-mAP", "windows of 10 to 30 s"),
    (r"MR-long-mAP", "windows of more than 30 s"),
    (r"MR-full-overlap", "first moment shares anything with a true one"),
    (r"MR-full-(start|end)-error-seconds", r"mean error of the \1, where they overlap"),
    (r"VR-nDCG@10", "ranking of videos"),
    (r"HL-min-(\w+)-mAP", r"ranking of clips, \1 or better"),
    (r"HL-min-(\w+)-Hit1", r"best clip is \1 or better"),
    (r"absent-rejected", "absent questions answered with nothing"),
    (r"true-lost", "true questions answered with nothing"),
)


def meaning_of(metric: str) -> str:
    """Explain a metric in a few words; empty for an unknown one."""
    for pattern, meaning in _MEANINGS:
        if match := re.fullmatch(pattern, metric):
            return match.expand(meaning)
    return ""
