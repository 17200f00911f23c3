"""Review: what is uncertain or flagged, in the order in which a person should look at it."""

from __future__ import annotations

from pipeline.analyze.review.queue import QueueSettings, review_queue
from pipeline.analyze.review.review_item import ReviewItem

__all__ = ["QueueSettings", "ReviewItem", "review_queue"]
