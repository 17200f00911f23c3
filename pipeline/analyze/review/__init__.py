"""Review queue: uncertain or flagged parts of videos, in the order in which a person should review them."""

from __future__ import annotations

from pipeline.analyze.review.queue import QueueSettings, review_queue
from pipeline.analyze.review.review_item import ReviewItem

__all__ = ["QueueSettings", "ReviewItem", "review_queue"]
