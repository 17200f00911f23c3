"""The options of a question, which make one `Query` in the order in which they are given."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import click

from pipeline.cli.selection_options import metadata_of

if TYPE_CHECKING:
    from pipeline.search import Query

__all__ = ["OrderedCommand", "QuestionInput", "question_options"]

F = TypeVar("F", bound=Callable[..., Any])

_ORDER = f"{__name__}.order"
_POINTS = re.compile(r"([\d:.]*)(?:(-)([\d:.]*))?")


class OrderedCommand(click.Command):
    """A command that records the order of its options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments, and keep the order in the context."""
        _, _, order = self.make_parser(ctx).parse_args(list(args))
        ctx.meta[_ORDER] = [option for option in order if isinstance(option, click.Option)]
        return super().parse_args(ctx, args)


def _time(text: str) -> float:
    from pipeline.timecode import parse_seconds

    try:
        return parse_seconds(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@dataclass(frozen=True)
class QuestionInput:
    """The question or the file of questions from the command line.

    Attributes:
        query: The question.
        lines: Where many are read from, JSON, one a line.
        given: Fields that are laid over each of these.
    """

    query: Query | None
    lines: BinaryIO | None
    given: Mapping[str, Any]


_JSON_FILE = click.File("rb")
_OPTIONS = (
    click.argument("text", nargs=-1),
    click.option("--and", "also", metavar="TEXT", multiple=True, help="The same picture also shows this."),
    click.option("--not", "without", metavar="TEXT", multiple=True, help="The picture does not show this."),
    click.option("--image", "images", metavar="FILE", multiple=True, help="Looks like this image."),
    click.option("--clip", "parts", metavar="FILE[@FROM-TO]", multiple=True, help="Looks like this part of a video."),
    click.option(
        "--like", metavar="VIDEO[@TIME|@FROM-TO]", multiple=True, help="Looks like this part of a library's video."
    ),
    click.option("--then", metavar="TEXT", multiple=True, help="A later step; the options after it apply to it."),
    click.option(
        "--within",
        type=_time,
        metavar="TIME",
        multiple=True,
        help="Longest time until the preceding --then begins.",
    ),
    click.option("--none", is_flag=True, help="List the videos and stretches in which nothing reaches the score."),
    click.option("--at-least", metavar="N", type=click.IntRange(1), help="Only videos with so many such moments."),
    click.option("--video", "videos", metavar="VIDEO", multiple=True, help="Only this video: a name, path or id."),
    click.option("--where", metavar="NAME=VALUE", multiple=True, help="Only videos with this metadata: camera=gate."),
    click.option("--label", "labels", metavar="LABEL", multiple=True, help="Only where the video shows this label."),
    click.option(
        "--not-label", "not_labels", metavar="LABEL", multiple=True, help="Only where it does not show this label."
    ),
    click.option("--after", type=_time, metavar="TIME", help="Only from this time of each video on."),
    click.option("--before", type=_time, metavar="TIME", help="Only before this time of each video."),
    click.option(
        "--time-of-day", metavar="FROM-TO", help="Only what was recorded then, as 22:00-6:00, where metadata says when."
    ),
    click.option(
        "--from",
        "recorded_from",
        metavar="DATE",
        help="Only what was recorded then or later: 2026-11-20 or 2026-11-20T08:30.",
    ),
    click.option(
        "--to", "recorded_to", metavar="DATE", help="Only what was recorded before that time, or on that date."
    ),
    click.option("--per-video", metavar="N", type=click.IntRange(1), help="Maximum number of moments from one video."),
    click.option(
        "--min-score",
        metavar="SCORE",
        type=click.FloatRange(0, 1),
        help="Lowest score; by default the configuration's.",
    ),
    click.option(
        "--top",
        "-n",
        metavar="N",
        type=click.IntRange(1, 1000),
        help="Maximum number of moments; by default the configuration's.",
    ),
    click.option("--page", metavar="N", type=click.IntRange(1), help="Page of the answer, counted from 1."),
    click.option("--refine", is_flag=True, help="Decode the videos again to find the ends of moments to the frame."),
    click.option("--query", type=_JSON_FILE, metavar="FILE.json", help="A whole question as JSON; - for stdin."),
    click.option(
        "--queries",
        type=_JSON_FILE,
        metavar="FILE.jsonl",
        help="Many questions, one per line; answers are printed as JSON, one per line.",
    ),
)
_NAMES = (
    *("text", "also", "without", "images", "parts", "like", "then", "within", "none", "at_least", "videos"),
    *("where", "labels", "not_labels"),
    *("after", "before", "time_of_day", "recorded_from", "recorded_to", "per_video", "min_score"),
    *("top", "page", "refine", "query", "queries"),
)
_PAGING = ("top", "page")


def question_options(command: F) -> F:
    """Add the options of a question to an `OrderedCommand`, which receives them as one `question`."""

    @functools.wraps(command)
    def with_question(**given: Any) -> Any:
        said = {name: given.pop(name) for name in _NAMES}
        return command(question=_question_input(said, click.get_current_context().meta[_ORDER]), **given)

    decorated: Any = with_question
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    wrapped: F = decorated
    return wrapped


def _question_input(said: Mapping[str, Any], order: Sequence[click.Option]) -> QuestionInput:
    from pipeline.search import as_query, read_query

    paging = {name: said[name] for name in _PAGING if said[name] is not None}
    for name in ("query", "queries"):
        if said[name] is None:
            continue
        others = ["TEXT"] * bool(said["text"])
        others += [option.opts[0] for option in order if option.name in _NAMES and option.name not in (name, *_PAGING)]
        if others:
            raise click.UsageError(f"--{name} says whole questions; leave out {', '.join(dict.fromkeys(others))}")
        if name == "queries":
            return QuestionInput(None, said["queries"], paging)
        file = said["query"]
        origin = str(getattr(file, "name", "standard input"))
        return QuestionInput(as_query(read_query(file.read(), origin), paging), None, {})
    return QuestionInput(_query(said, order), None, {})


def _query(said: Mapping[str, Any], order: Sequence[click.Option]) -> Query:
    from pipeline.search import as_query

    if len(said["text"]) > 1:
        raise click.UsageError(f'put what the moment shows in quotes: momentseek search "{" ".join(said["text"])}"')
    first, *then = _steps(said, order)
    if not first["shows"]:
        raise click.UsageError(
            "say what the moment shows: TEXT, --image, --clip or --like; or a whole question: --query or --queries"
        )
    plain = ("at_least", "after", "before", "time_of_day", "recorded_from", "recorded_to", "per_video", "min_score")
    fields = {name: said[name] for name in (*plain, *_PAGING) if said[name] is not None}
    fields |= {name: list(said[name]) for name in ("videos", "labels", "not_labels")}
    fields |= {"then": then, "where": metadata_of(said["where"], "--where")}
    return as_query({**first, **fields, "none": said["none"], "refine": said["refine"]})


def _steps(said: Mapping[str, Any], order: Sequence[click.Option]) -> list[dict[str, Any]]:
    """Build the steps of a question, as JSON: an option belongs to the --then before it."""
    kinds: dict[str, Callable[[str], Any]] = {
        "also": lambda text: {"text": text},
        "images": lambda uri: {"image": uri},
        "parts": lambda value: _part("clip", value),
        "like": lambda value: _part("like", value),
    }
    steps: list[dict[str, Any]] = [{"shows": [{"text": text} for text in said["text"]], "without": []}]
    values: dict[str, Iterator[Any]] = {name: iter(said[name]) for name in (*kinds, "without", "then", "within")}
    for option in order:
        name = str(option.name)
        if name not in values:
            continue
        value = next(values[name])
        if name == "then":
            steps.append({"shows": [{"text": value}], "without": []})
        elif name == "without":
            steps[-1]["without"].append({"text": value})
        elif name != "within":
            steps[-1]["shows"].append(kinds[name](value))
        elif len(steps) == 1 or "within" in steps[-1]:
            raise click.UsageError("--within says how soon a --then begins; write it once, after that --then")
        else:
            steps[-1]["within"] = value
    return steps


def _part(kind: str, value: str) -> dict[str, Any]:
    """Parse a term: NAME@FROM-TO, NAME@TIME or NAME. Text after the last @ is parsed as a time range if possible."""
    from pipeline.timecode import parse_seconds

    name, at, tail = value.rpartition("@")
    points = _POINTS.fullmatch(tail)
    if not at or points is None:
        return {kind: value}
    start, dash, end = points.groups(default="")
    try:
        times = {key: parse_seconds(text) for key, text in (("start", start), ("end", end)) if text}
    except ValueError as error:
        raise click.UsageError(f"--{kind} {value!r}: {error}") from error
    if dash or not times:
        return {kind: name, **times}
    if kind == "clip":
        raise click.UsageError(f"--clip {value!r}: say from when to when, as {name}@{start}-{times['start'] + 2:g}")
    return {kind: name, "at": times["start"]}
