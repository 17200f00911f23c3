"""What an answer says of its question's terms: their calibration, unknown words and notes."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.search.answer import Candidate, Dropped, Explanation, TermMeaning
from pipeline.search.query_embedding import CalibratedTerm
from pipeline.search.scoring import CalibratedStep

__all__ = ["explanation_of", "notes_of", "unknown_words_of"]


def _terms_of(steps: Sequence[CalibratedStep]) -> list[CalibratedTerm]:
    return [term for step in steps for term in (*step.shows, *step.without)]


def notes_of(steps: Sequence[CalibratedStep]) -> tuple[str, ...]:
    """Collect the notes of all terms in order, without duplicates."""
    return tuple(dict.fromkeys(term.note for term in _terms_of(steps) if term.note))


def unknown_words_of(steps: Sequence[CalibratedStep]) -> tuple[str, ...]:
    """Collect the unknown words of all terms in order, without duplicates that differ only in case."""
    words: dict[str, str] = {}
    for word in (word for term in _terms_of(steps) for word in term.unknown_words):
        words.setdefault(word.casefold(), word)
    return tuple(words.values())


def explanation_of(
    steps: Sequence[CalibratedStep], candidates: tuple[Candidate, ...], dropped: tuple[Dropped, ...] = ()
) -> Explanation:
    """Explain how the terms of a question were calibrated, which segments were candidates and what was dropped."""
    terms = _terms_of(steps)
    meanings = tuple(
        TermMeaning(str(term.term), term.calibration.level, term.calibration.scale, term.calibration.log_odds)
        for term in terms
    )
    return Explanation(meanings, "", candidates, dropped)
