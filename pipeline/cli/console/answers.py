"""Print answers on the terminal: the table of moments, hints when there are none, and the explanation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pipeline.cli.console.tables import echo, print_table

if TYPE_CHECKING:
    from pipeline.search import Answer
    from pipeline.search.answer import Explanation, Incomplete, Skipped
    from pipeline.types import Moment

__all__ = ["print_answer", "print_explanation", "say_incomplete", "say_unlabelled", "say_what_is_missing"]

_MAX_LISTED = 20
_MAX_TEXT_LENGTH = 48


class _Names:
    """Display names of videos: their file names, or whole URIs where two videos have the same file name."""

    def __init__(self, items: Iterable[Moment | Skipped]) -> None:
        from pipeline.render.text import file_name

        self._uri_of_id: dict[str, str] = {}
        self._uris_of_name: dict[str, set[str]] = {}
        for item in items:
            self._uri_of_id[item.video_id] = item.uri
            self._uris_of_name.setdefault(file_name(item.uri), set()).add(item.uri)

    def of(self, uri: str) -> str:
        from pipeline.render.text import file_name, printable

        name = file_name(uri)
        return name if len(self._uris_of_name.get(name, ())) < 2 else printable(uri)

    def of_moment(self, moment: Moment) -> str:
        return f"{self.of(moment.uri)} (gone)" if moment.is_gone else self.of(moment.uri)

    def of_id(self, video_id: str) -> str:
        return self.of(self._uri_of_id[video_id]) if video_id in self._uri_of_id else video_id


def _names_in(answer: Answer) -> _Names:
    shown = [*answer.moments, *(copy for moment in answer.moments for copy in moment.copies)]
    nearest = () if answer.nearest is None else (answer.nearest,)
    explanation = answer.explanation
    return _Names((*shown, *nearest, *(dropped.moment for dropped in explanation.dropped), *explanation.skipped))


def print_answer(answer: Answer) -> None:
    """Print the moments as a table: below each its steps and its copies in other videos; with dates, where known."""
    names = _names_in(answer)
    rows = []
    for rank, moment in enumerate(answer.moments, answer.first_rank):
        rows.append([str(rank), names.of_moment(moment), *_numbers(moment), _date(moment)])
        for number, (step, text) in enumerate(zip(moment.steps, answer.query.steps, strict=False)):
            rows.append(["", f"  {'then ' if number else ''}{_shortened(str(text))}", *_numbers(step), _date(step)])
        rows += [["", f"  also {names.of_moment(copy)}", *_numbers(copy), _date(copy)] for copy in moment.copies]
    if rows:
        columns = ["#", "video", "from", "to", "best", "score", "recorded"]
        shown = len(columns) if any(row[-1] for row in rows) else len(columns) - 1
        print_table(columns[:shown], [row[:shown] for row in _aligned(rows, 2)], right=(0, 2, 3, 4, 5))


def _date(moment: Moment) -> str:
    return "" if moment.recorded_at is None else f"{moment.recorded_at:%Y-%m-%d %H:%M:%S}"


def _shortened(text: str) -> str:
    from pipeline.render.text import printable

    shown = printable(text)
    return shown if len(shown) <= _MAX_TEXT_LENGTH else f"{shown[: _MAX_TEXT_LENGTH - 1]}…"


def _numbers(moment: Moment) -> list[str]:
    from pipeline.render.text import score_text, time_text
    from pipeline.timecode import format_seconds

    return [
        time_text(moment.start_seconds, moment.start_uncertainty_seconds),
        time_text(moment.end_seconds, moment.end_uncertainty_seconds),
        format_seconds(moment.best_seconds),
        score_text(moment.score),
    ]


def _aligned(rows: Sequence[Sequence[str]], first: int) -> list[list[str]]:
    """Pad the two times from column `first` on, so that their uncertainties line up."""
    aligned = [list(row) for row in rows]
    for column in (first, first + 1):
        width = max(len(row[column].partition(" ")[2]) for row in rows)
        for row in aligned:
            time, _, uncertainty = row[column].partition(" ")
            row[column] = f"{time} {uncertainty:<{width}}" if width else time
    return aligned


def say_what_is_missing(answer: Answer) -> None:
    """Print on standard error which moments are not shown, or why there are none."""
    from pipeline.render.text import counted, printable

    if answer.unknown_words:
        echo(f"the model does not know: {printable(', '.join(answer.unknown_words))}", err=True)
    if answer.incomplete is not None:
        say_incomplete(answer.incomplete)
    gone_uris = {moment.uri: None for moment in answer.moments if moment.is_gone}
    if gone_uris:
        names = printable(", ".join(gone_uris))
        echo(
            f"warning: {counted(sum(moment.is_gone for moment in answer.moments), 'moment')} of a video whose file is"
            f" gone: another video is at {names}; remove the old one from the library by its id (momentseek videos)",
            err=True,
        )
    _say_without_date(answer)
    say_unlabelled(answer.explanation.skipped)
    last = answer.first_rank + len(answer.moments) - 1
    if answer.moments and last < answer.found:
        shown = f"moments {answer.first_rank}-{last}" if last > answer.first_rank else f"moment {last}"
        echo(f"{shown} of {answer.found}; --page {answer.query.page + 1} shows the next", err=True)
    elif not answer.moments and answer.found:
        pages = -(-answer.found // answer.top)
        echo(
            f"there is no page {answer.query.page}: {counted(answer.found, 'moment matches', 'moments match')}, on"
            f" {counted(pages, 'page')} of {answer.top}",
            err=True,
        )
    elif not answer.moments:
        echo(_why_nothing(answer), err=True)


def say_incomplete(incomplete: Incomplete) -> None:
    """Print on standard error that the index lacks videos, and what to do about it."""
    from pipeline.render.text import counted, printable

    stored = counted(incomplete.stored_videos, "stored video")
    echo(
        f"warning: incomplete: the index holds {incomplete.indexed_videos} of {stored}; unless they are being indexed"
        f" now: {printable(incomplete.remedy)}",
        err=True,
    )


def _why_nothing(answer: Answer) -> str:
    from pipeline.render.text import counted, printable, score_text
    from pipeline.timecode import format_seconds

    message = f'nothing matches "{printable(str(answer.query))}"'
    if not answer.explanation.candidates:
        hint = f": {answer.explanation.hint}" if answer.explanation.hint else ""
        filters = answer.explanation.filters or "none"
        return f"{message}: no video passes the filters ({printable(filters)}){printable(hint)}{_first_skipped(answer)}"
    above_threshold = [one for one in answer.explanation.dropped if one.moment.score >= answer.min_score]
    names = _names_in(answer)
    if above_threshold:
        best = max(above_threshold, key=lambda one: one.moment.score)
        place = f"{names.of(best.moment.uri)} at {format_seconds(best.moment.best_seconds)}"
        count = counted(
            len(above_threshold), "moment with a sufficient score was", "moments with sufficient scores were"
        )
        return f"{message}; {count} left out, the best is {place}: {best.why}"
    if answer.nearest is None and answer.explanation.skipped:
        return f"{message}{_first_skipped(answer)}"
    if answer.nearest is None:
        return f"{message} in this order and time" if answer.query.then else message
    near, score = answer.nearest, score_text(answer.nearest.score)
    place = f"{names.of(near.uri)} at {format_seconds(near.best_seconds)}"
    minimum = f"the minimum is {answer.min_score:g})"
    if near.score < 0.01:
        return f"{message} (the nearest, {place}, scores less than 0.01; {minimum}"
    rounded = score[:3] if near.score >= 0.1 else score
    return f"{message} (the nearest, {place}, scores {score}; {minimum}: try --min-score {rounded}"


def _first_skipped(answer: Answer) -> str:
    """The number of videos that were not searched, and the reason for the first; empty if there is none."""
    from pipeline.render.text import counted, printable

    skipped = answer.explanation.skipped
    if not skipped:
        return ""
    count = counted(len(skipped), "video was", "videos were")
    first = f"{_names_in(answer).of(skipped[0].uri)}: {printable(skipped[0].why)}"
    return f"; {count} not searched, first {first}"


def _say_without_date(answer: Answer) -> None:
    """Print on standard error how many videos lack a recording date that the question needs."""
    from pipeline.render.text import counted

    number = sum(skipped.has_no_date for skipped in answer.explanation.skipped)
    if number:
        videos = counted(number, "video was", "videos were")
        echo(f"{videos} left out: no usable recording date in the metadata (--explain says why)", err=True)


def say_unlabelled(skipped: Sequence[Skipped]) -> None:
    """Say on standard error which videos are not labelled, where the question names labels."""
    from pipeline.render.text import counted, printable

    unlabelled = [one for one in skipped if one.is_unlabelled]
    if not unlabelled:
        return
    names = _Names(unlabelled)
    listed = ", ".join(names.of(one.uri) for one in unlabelled[:_MAX_LISTED])
    more = f" and {len(unlabelled) - _MAX_LISTED} more" if len(unlabelled) > _MAX_LISTED else ""
    why = printable(unlabelled[0].why.removeprefix("it is "))
    videos = counted(len(unlabelled), "video was", "videos were")
    echo(f"{videos} left out: {listed}{more}: {why}", err=True)


def print_explanation(answer: Answer, prompts: Sequence[str]) -> None:
    """Explain an answer in words: terms, filters, candidates, moments, and what was left out."""
    explanation, names = answer.explanation, _names_in(answer)
    echo()
    _print_terms(explanation, prompts)
    hint = f" ({explanation.hint})" if explanation.hint else ""
    echo(f"\nFilters: {explanation.filters or 'none'}{hint}")
    if answer.query.none:
        echo(f"\nStretches: {answer.found}, without a sampled frame that scores {answer.min_score:g} or more.")
    else:
        _print_candidates(explanation, names)
        made = answer.found + len(explanation.dropped)
        echo(
            f"\nMoments: neighbouring segments were merged and cut to the frames that match, which gave {made}; "
            f"{answer.found} of these are the answer, with a score of {answer.min_score:g} or more."
        )
    if explanation.dropped:
        echo(f"Left out: {len(explanation.dropped)}{_first(_MAX_LISTED, len(explanation.dropped), 'the first')}")
        rows = [[names.of(one.moment.uri), *_numbers(one.moment), one.why] for one in explanation.dropped[:_MAX_LISTED]]
        print_table(["video", "from", "to", "best", "score", "why"], _aligned(rows, 1), right=(1, 2, 3, 4))
    if explanation.skipped:
        undated = sum(one.has_no_date for one in explanation.skipped)
        count = f"{len(explanation.skipped)}" + (f", {undated} of them without a usable date" if undated else "")
        unlabelled = sum(one.is_unlabelled for one in explanation.skipped)
        count += f", {unlabelled} of them without labels" if unlabelled else ""
        echo(f"Not searched: {count}{_first(_MAX_LISTED, len(explanation.skipped), 'the first')}")
        print_table(["video", "why"], [[names.of(one.uri), one.why] for one in explanation.skipped[:_MAX_LISTED]])


def _print_terms(explanation: Explanation, prompts: Sequence[str]) -> None:
    echo("Terms: the cosine similarity of an unrelated frame, that of a frame which scores 0.5, and the factor by")
    echo("which 0.01 more similarity raises the odds.")
    rows = [
        [
            _shortened(term.term),
            f"{term.level:.3f}",
            f"{term.level + term.log_odds / term.scale:.3f}",
            f"{_odds_factor(term.scale)} times",
        ]
        for term in explanation.terms
    ]
    print_table(["term", "unrelated", "scores 0.5", "0.01 more"], rows, right=(1, 2, 3))
    if tuple(prompts) != ("{}",):
        echo(f"Texts are put into {', '.join(map(repr, prompts))}; the search uses the mean of their embeddings.")


def _odds_factor(scale: float) -> str:
    import math

    return f"{math.exp(scale / 100):.2f}"


def _print_candidates(explanation: Explanation, names: _Names) -> None:
    from pipeline.render.text import counted, score_text
    from pipeline.timecode import format_seconds

    candidates = explanation.candidates
    terms = list(dict.fromkeys(one.term for one in candidates))
    each = max(1, _MAX_LISTED // max(1, len(terms)))
    listed = [one for term in terms for one in [c for c in candidates if c.term == term][:each]]
    videos = len({candidate.video_id for candidate in candidates})
    extent = f"{counted(len(candidates), 'segment')} of {counted(videos, 'video')}"
    echo(f"\nCandidates: the index returned {extent}{_first(len(listed), len(candidates))}")
    rows = [
        [
            names.of_id(one.video_id),
            format_seconds(one.start_seconds),
            format_seconds(one.end_seconds),
            f"{one.cosine:.3f}",
            score_text(one.score),
            _shortened(one.term),
        ]
        for one in listed
    ]
    if rows:
        print_table(["video", "from", "to", "cosine", "score", "for"], rows, right=(1, 2, 3, 4))


def _first(listed: int, count: int, which: str = "the best") -> str:
    return f"; {which} {listed}:" if count > listed else ":" if count else "."
