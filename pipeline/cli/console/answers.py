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

_LISTED = 20
_MOST_OF_A_TEXT = 48


class _Names:
    """What videos are called: by their file names, and by all of their names where two have the same."""

    def __init__(self, places: Iterable[Moment | Skipped]) -> None:
        from pipeline.render.text import file_name

        self._ids: dict[str, str] = {}
        self._places: dict[str, set[str]] = {}
        for place in places:
            self._ids[place.video_id] = place.uri
            self._places.setdefault(file_name(place.uri), set()).add(place.uri)

    def of(self, uri: str) -> str:
        from pipeline.render.text import file_name, printable

        name = file_name(uri)
        return name if len(self._places.get(name, ())) < 2 else printable(uri)

    def of_moment(self, moment: Moment) -> str:
        return f"{self.of(moment.uri)} (gone)" if moment.is_gone else self.of(moment.uri)

    def of_id(self, video_id: str) -> str:
        return self.of(self._ids[video_id]) if video_id in self._ids else video_id


def _named(answer: Answer) -> _Names:
    shown = [*answer.moments, *(copy for moment in answer.moments for copy in moment.copies)]
    nearest = () if answer.nearest is None else (answer.nearest,)
    explanation = answer.explanation
    return _Names((*shown, *nearest, *(dropped.moment for dropped in explanation.dropped), *explanation.skipped))


def print_answer(answer: Answer) -> None:
    """The moments as a table: a moment's steps below it, and its copies in other videos; and dates, where known."""
    names = _named(answer)
    rows = []
    for rank, moment in enumerate(answer.moments, answer.first_rank):
        rows.append([str(rank), names.of_moment(moment), *_numbers(moment), _date(moment)])
        for number, (step, said) in enumerate(zip(moment.steps, answer.query.steps, strict=False)):
            rows.append(["", f"  {'then ' if number else ''}{_shortened(str(said))}", *_numbers(step), _date(step)])
        rows += [["", f"  also {names.of_moment(copy)}", *_numbers(copy), _date(copy)] for copy in moment.copies]
    if rows:
        columns = ["#", "video", "from", "to", "best", "score", "recorded"]
        shown = len(columns) if any(row[-1] for row in rows) else len(columns) - 1
        print_table(columns[:shown], [row[:shown] for row in _aligned(rows, 2)], right=(0, 2, 3, 4, 5))


def _date(moment: Moment) -> str:
    return "" if moment.recorded_at is None else f"{moment.recorded_at:%Y-%m-%d %H:%M:%S}"


def _shortened(text: str) -> str:
    from pipeline.render.text import printable

    said = printable(text)
    return said if len(said) <= _MOST_OF_A_TEXT else f"{said[: _MOST_OF_A_TEXT - 1]}…"


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
    """The rows with the uncertainty of the two times from column `first` on below each other."""
    aligned = [list(row) for row in rows]
    for column in (first, first + 1):
        width = max(len(row[column].partition(" ")[2]) for row in rows)
        for row in aligned:
            time, _, uncertainty = row[column].partition(" ")
            row[column] = f"{time} {uncertainty:<{width}}" if width else time
    return aligned


def say_what_is_missing(answer: Answer) -> None:
    """Say on standard error what there is beyond the page, or why there is nothing."""
    from pipeline.render.text import counted, printable

    if answer.unknown_words:
        echo(f"the model does not know: {printable(', '.join(answer.unknown_words))}", err=True)
    if answer.incomplete is not None:
        say_incomplete(answer.incomplete)
    gone = {moment.uri: None for moment in answer.moments if moment.is_gone}
    if gone:
        places = printable(", ".join(gone))
        echo(
            f"warning: {counted(sum(moment.is_gone for moment in answer.moments), 'moment')} of a video whose file is"
            f" gone: another video is at {places}; remove the old one from the library by its id (momentseek videos)",
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
    """Say on standard error that the index lacks videos, and what to do about it."""
    from pipeline.render.text import counted, printable

    stored = counted(incomplete.stored_videos, "stored video")
    echo(
        f"warning: incomplete: the index holds {incomplete.indexed_videos} of {stored}; unless they are being indexed"
        f" now: {printable(incomplete.remedy)}",
        err=True,
    )


def _why_nothing(answer: Answer) -> str:
    from pipeline.render.text import printable, score_text
    from pipeline.timecode import format_seconds

    said = f'nothing matches "{printable(str(answer.query))}"'
    if not answer.explanation.candidates:
        hint = f": {answer.explanation.hint}" if answer.explanation.hint else ""
        filters = answer.explanation.filters or "none"
        return f"{said}: no video passes the filters ({printable(filters)}){printable(hint)}{_first_skipped(answer)}"
    good = [one for one in answer.explanation.dropped if one.moment.score >= answer.min_score]
    names = _named(answer)
    if good:
        best = max(good, key=lambda one: one.moment.score)
        place = f"{names.of(best.moment.uri)} at {format_seconds(best.moment.best_seconds)}"
        return f"{said}; {len(good)} that score enough were left out, first {place}: {best.why}"
    if answer.nearest is None and answer.explanation.skipped:
        return f"{said}{_first_skipped(answer)}"
    if answer.nearest is None:
        return f"{said} one after another in that time" if answer.query.then else said
    near, score = answer.nearest, score_text(answer.nearest.score)
    place = f"{names.of(near.uri)} at {format_seconds(near.best_seconds)}"
    wanted = f"{answer.min_score:g} is wanted)"
    if near.score < 0.01:
        return f"{said} (the nearest, {place}, scores less than 0.01; {wanted}"
    rounded = score[:3] if near.score >= 0.1 else score
    return f"{said} (the nearest, {place}, scores {score}; {wanted}: try --min-score {rounded}"


def _first_skipped(answer: Answer) -> str:
    """How many videos were not looked at, and why the first was not; empty where there is none."""
    from pipeline.render.text import counted, printable

    skipped = answer.explanation.skipped
    if not skipped:
        return ""
    count = counted(len(skipped), "video was", "videos were")
    first = f"{_named(answer).of(skipped[0].uri)}: {printable(skipped[0].why)}"
    return f"; {count} not looked at, first {first}"


def _say_without_date(answer: Answer) -> None:
    """Say on standard error how many videos cannot be told the time of, where the question asks for one."""
    from pipeline.render.text import counted

    number = sum(skipped.has_no_date for skipped in answer.explanation.skipped)
    if number:
        videos = counted(number, "video was", "videos were")
        echo(f"{videos} left out: no usable date of recording in the metadata (--explain says why)", err=True)


def say_unlabelled(skipped: Sequence[Skipped]) -> None:
    """Say on standard error which videos are not labelled, where the question names labels."""
    from pipeline.render.text import counted, printable

    unlabelled = [one for one in skipped if one.is_unlabelled]
    if not unlabelled:
        return
    names = _Names(unlabelled)
    listed = ", ".join(names.of(one.uri) for one in unlabelled[:_LISTED])
    more = f" and {len(unlabelled) - _LISTED} more" if len(unlabelled) > _LISTED else ""
    why = printable(unlabelled[0].why.removeprefix("it is "))
    videos = counted(len(unlabelled), "video was", "videos were")
    echo(f"{videos} left out: {listed}{more}: {why}", err=True)


def print_explanation(answer: Answer, prompts: Sequence[str]) -> None:
    """How an answer came to be, in words: terms, filters, candidates, moments and what was left out."""
    explanation, names = answer.explanation, _named(answer)
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
            f"\nMoments: neighbouring segments were merged and cut to the frames that answer, which gave {made}; "
            f"{answer.found} of these are the answer, with a score of {answer.min_score:g} or more."
        )
    if explanation.dropped:
        echo(f"Left out: {len(explanation.dropped)}{_first(_LISTED, len(explanation.dropped), 'the first')}")
        rows = [[names.of(one.moment.uri), *_numbers(one.moment), one.why] for one in explanation.dropped[:_LISTED]]
        print_table(["video", "from", "to", "best", "score", "why"], _aligned(rows, 1), right=(1, 2, 3, 4))
    if explanation.skipped:
        undated = sum(one.has_no_date for one in explanation.skipped)
        count = f"{len(explanation.skipped)}" + (f", {undated} of them without a usable date" if undated else "")
        unlabelled = sum(one.is_unlabelled for one in explanation.skipped)
        count += f", {unlabelled} of them without labels" if unlabelled else ""
        echo(f"Not looked at: {count}{_first(_LISTED, len(explanation.skipped), 'the first')}")
        print_table(["video", "why"], [[names.of(one.uri), one.why] for one in explanation.skipped[:_LISTED]])


def _print_terms(explanation: Explanation, prompts: Sequence[str]) -> None:
    echo("Terms: the cosine of a frame that has nothing to do with it, and that of one that scores 0.5; a")
    echo("hundredth more makes it so many times as likely.")
    rows = [
        [
            _shortened(term.term),
            f"{term.level:.3f}",
            f"{term.level + term.log_odds / term.scale:.3f}",
            f"{_times(term.scale)} times",
        ]
        for term in explanation.terms
    ]
    print_table(["term", "unrelated", "scores 0.5", "0.01 more"], rows, right=(1, 2, 3))
    if tuple(prompts) != ("{}",):
        echo(f"Texts are put into {', '.join(map(repr, prompts))}; the mean of their embeddings is asked for.")


def _times(scale: float) -> str:
    import math

    return f"{math.exp(scale / 100):.2f}"


def _print_candidates(explanation: Explanation, names: _Names) -> None:
    from pipeline.render.text import counted, score_text
    from pipeline.timecode import format_seconds

    candidates = explanation.candidates
    terms = list(dict.fromkeys(one.term for one in candidates))
    each = max(1, _LISTED // max(1, len(terms)))
    listed = [one for term in terms for one in [c for c in candidates if c.term == term][:each]]
    videos = len({candidate.video_id for candidate in candidates})
    said = f"{counted(len(candidates), 'segment')} of {counted(videos, 'video')}"
    echo(f"\nCandidates: the index named {said}{_first(len(listed), len(candidates))}")
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
