"""The options of a question, combined into one `Query` in the order in which they are given."""

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

__all__ = ["OrderedCommand", "QuestionInput", "question_options", "video_part"]

F = TypeVar("F", bound=Callable[..., Any])

_ORDER = f"{__name__}.order"
_POINTS = re.compile(r"([\d:.]*)(?:(-)([\d:.]*))?")


class OrderedCommand(click.Command):
    """A command that records the order of its options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, and store the order of the options in the context."""
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
    """A question from the command line, or a file of questions.

    Attributes:
        query: The question; None if `lines` is set.
        lines: File of questions, one JSON object per line.
        given: Fields that override those of every question in `lines`.
    """

    query: Query | None
    lines: BinaryIO | None
    given: Mapping[str, Any]


_JSON_FILE = click.File("rb")
_OPTIONS = (
    click.argument("text", nargs=-1),
    click.option("--and", "also", metavar="TEXT", multiple=True, help="The same frame also shows this."),
    click.option("--not", "without", metavar="TEXT", multiple=True, help="The frame does not show this."),
    click.option("--image", "images", metavar="FILE", multiple=True, help="Looks like this image."),
    click.option("--clip", "parts", metavar="FILE[@FROM-TO]", multiple=True, help="Looks like this part of a video."),
    click.option(
        "--like",
        metavar="VIDEO[@TIME|@FROM-TO]",
        multiple=True,
        help="Looks like this part of a video in the library.",
    ),
    click.option("--then", metavar="TEXT", multiple=True, help="A later step; the options after it apply to it."),
    click.option(
        "--within",
        type=_time,
        metavar="TIME",
        multiple=True,
        help="Maximum time until the preceding --then begins.",
    ),
    click.option("--none", is_flag=True, help="List the videos and stretches in which nothing reaches the score."),
    click.option(
        "--at-least", metavar="N", type=click.IntRange(1), help="Only videos with at least this many moments."
    ),
    click.option("--video", "videos", metavar="VIDEO", multiple=True, help="Only this video: a name, path or id."),
    click.option(
        "--where", metavar="NAME=VALUE", multiple=True, help="Only videos with this metadata, e.g. camera=gate."
    ),
    click.option("--label", "labels", metavar="LABEL", multiple=True, help="Only where the video shows this label."),
    click.option(
        "--not-label", "not_labels", metavar="LABEL", multiple=True, help="Only where it does not show this label."
    ),
    click.option("--after", type=_time, metavar="TIME", help="Only after this time of each video."),
    click.option("--before", type=_time, metavar="TIME", help="Only before this time of each video."),
    click.option(
        "--time-of-day",
        metavar="FROM-TO",
        help="Only recordings from this time of day, e.g. 22:00-6:00; needs recording dates in the metadata.",
    ),
    click.option(
        "--from",
        "recorded_from",
        metavar="DATE",
        help="Only recordings from this date or time on: 2026-11-20 or 2026-11-20T08:30.",
    ),
    click.option(
        "--to", "recorded_to", metavar="DATE", help="Only recordings before this time, or up to the end of this date."
    ),
    click.option("--per-video", metavar="N", type=click.IntRange(1), help="Maximum number of moments from one video."),
    click.option(
        "--min-score",
        metavar="SCORE",
        type=click.FloatRange(0, 1),
        help="Minimum score; by default the configuration's.",
    ),
    click.option(
        "--top",
        "-n",
        metavar="N",
        type=click.IntRange(1, 1000),
        help="Maximum number of moments; by default the configuration's.",
    ),
    click.option("--page", metavar="N", type=click.IntRange(1), help="Page of the answer to show; the first is 1."),
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
    """Add the options of a question to an `OrderedCommand`, which receives them as one argument, `question`."""

    @functools.wraps(command)
    def with_question(**arguments: Any) -> Any:
        options = {name: arguments.pop(name) for name in _NAMES}
        return command(question=_question_input(options, click.get_current_context().meta[_ORDER]), **arguments)

    decorated: Any = with_question
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    wrapped: F = decorated
    return wrapped


def _question_input(options: Mapping[str, Any], order: Sequence[click.Option]) -> QuestionInput:
    from pipeline.search import as_query, read_query

    paging = {name: options[name] for name in _PAGING if options[name] is not None}
    for name in ("query", "queries"):
        if options[name] is None:
            continue
        others = ["TEXT"] * bool(options["text"])
        others += [option.opts[0] for option in order if option.name in _NAMES and option.name not in (name, *_PAGING)]
        if others:
            raise click.UsageError(f"--{name} contains whole questions; leave out {', '.join(dict.fromkeys(others))}")
        if name == "queries":
            return QuestionInput(None, options["queries"], paging)
        file = options["query"]
        origin = str(getattr(file, "name", "standard input"))
        return QuestionInput(as_query(read_query(file.read(), origin), paging), None, {})
    return QuestionInput(_query(options, order), None, {})


def _query(options: Mapping[str, Any], order: Sequence[click.Option]) -> Query:
    from pipeline.search import as_query

    if len(options["text"]) > 1:
        raise click.UsageError(
            f'put the description of the moment in quotes: momentseek search "{" ".join(options["text"])}"'
        )
    first, *then = _steps(options, order)
    if not first["shows"]:
        raise click.UsageError(
            "describe the moment by TEXT, --image, --clip or --like; or give a whole question by --query or --queries"
        )
    plain = ("at_least", "after", "before", "time_of_day", "recorded_from", "recorded_to", "per_video", "min_score")
    fields = {name: options[name] for name in (*plain, *_PAGING) if options[name] is not None}
    fields |= {name: list(options[name]) for name in ("videos", "labels", "not_labels")}
    fields |= {"then": then, "where": metadata_of(options["where"], "--where")}
    return as_query({**first, **fields, "none": options["none"], "refine": options["refine"]})


def _steps(options: Mapping[str, Any], order: Sequence[click.Option]) -> list[dict[str, Any]]:
    """Build the steps of a question as JSON: each option belongs to the last --then before it."""
    kinds: dict[str, Callable[[str], Any]] = {
        "also": lambda text: {"text": text},
        "images": lambda uri: {"image": uri},
        "parts": lambda value: video_part("clip", value),
        "like": lambda value: video_part("like", value),
    }
    steps: list[dict[str, Any]] = [{"shows": [{"text": text} for text in options["text"]], "without": []}]
    values: dict[str, Iterator[Any]] = {name: iter(options[name]) for name in (*kinds, "without", "then", "within")}
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
            raise click.UsageError("--within limits the time until a --then begins; give it once, after that --then")
        else:
            steps[-1]["within"] = value
    return steps


def video_part(kind: str, value: str) -> dict[str, Any]:
    """Parse a term: NAME@FROM-TO, NAME@TIME or NAME. Text after the last @ is parsed as a time range if possible.

    Args:
        kind: The option, "like" or "clip", which is also the name of the term's field.
        value: As it was written.

    Raises:
        UsageError: The time range cannot be read.
    """
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
        raise click.UsageError(f"--clip {value!r}: give a start and an end: {name}@{start}-{times['start'] + 2:g}")
    return {kind: name, "at": times["start"]}
