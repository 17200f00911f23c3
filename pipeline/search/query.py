"""The query model, shared by Python, the command line and JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from pipeline.config import Settings, validate
from pipeline.errors import ConfigError, QueryError
from pipeline.parsing import parse_json
from pipeline.search.filters.recording_time import RecordingTimes
from pipeline.types import Scalar
from pipeline.uris import public_name

__all__ = ["Query", "Step", "Term", "Then", "as_query", "moments_query", "read_query"]

_KINDS = ("text", "image", "clip", "like", "concept")
_CONCEPT = re.compile(r"\s*concept:(\S+)\s*")


class Term(Settings):
    """One thing that a moment shows, given in one of five ways.

    `text`, a description; `image`, a picture file; `clip`, a video file, optionally limited to `start` and `end`;
    `like`, a video of the library that shows the thing at the second `at`, or between `start` and `end`; or `concept`,
    a concept that was fitted to marks. A text "concept:NAME" stands for the concept NAME.
    """

    text: str | None = None
    """Description of the thing, as "a person in a hard hat"."""

    image: str | None = None
    """A picture file: path or URI."""

    clip: str | None = None
    """A video file, in the library or not: path or URI."""

    like: str | None = None
    """A video of the library: name, path or id."""

    concept: str | None = None
    """A concept of the library, by its name."""

    start: float | None = Field(default=None, ge=0)
    """Start of the part in seconds; None for the start of the video."""

    end: float | None = Field(default=None, gt=0)
    """End of the part in seconds, exclusive; None for the end of the video."""

    at: float | None = Field(default=None, ge=0)
    """Only with `like`: the time in seconds at which the video shows the thing."""

    @model_validator(mode="before")
    @classmethod
    def _read_concept(cls, value: Any) -> Any:
        """Take a text "concept:NAME" for the concept; "concept: ..." with a space stays a text."""
        text = value.get("text") if isinstance(value, Mapping) else None
        found = _CONCEPT.fullmatch(text) if isinstance(text, str) else None
        if found is None or value.get("concept") is not None:
            return value
        return {**value, "text": None, "concept": found[1]}

    @model_validator(mode="after")
    def _check_kind(self) -> Term:
        kinds = [name for name in _KINDS if getattr(self, name) is not None]
        if len(kinds) != 1:
            raise ValueError(
                f"a term is one of text, image, clip, like and concept; this one has {', '.join(kinds) or 'none'}"
            )
        if not getattr(self, kinds[0]).strip():
            raise ValueError(f"{kinds[0]} is empty; describe what the moment shows, as 'a person in a hard hat'")
        if kinds[0] in ("text", "image", "concept") and (self.start, self.end, self.at) != (None, None, None):
            raise ValueError(f"{kinds[0]} takes no start, end or at; they are for clip and like")
        if self.at is not None and (kinds[0] != "like" or (self.start, self.end) != (None, None)):
            raise ValueError("`at` is only for `like`, in place of start and end")
        if self.start is not None and self.end is not None and not self.start < self.end:
            raise ValueError(f"the end at {self.end} is not later than the start at {self.start}")
        return self

    def __str__(self) -> str:
        if self.text is not None:
            return self.text
        if self.concept is not None:
            return f"concept:{self.concept}"
        name = public_name(self.image or self.clip or self.like or "")
        if self.at is not None:
            return f"{name} at {self.at:g} s"
        if (self.start, self.end) != (None, None):
            return f"{name} from {self.start or 0:g} s to {'its end' if self.end is None else f'{self.end:g} s'}"
        return name


def _term(value: Any) -> Any:
    return {"text": value} if isinstance(value, str) else value


def _terms(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return (value,) if isinstance(value, str | Mapping | Term) else value


_Term = Annotated[Term, BeforeValidator(_term)]
_Terms = Annotated[tuple[_Term, ...], BeforeValidator(_terms)]


class Step(Settings):
    """What one moment shows and what it does not show."""

    shows: _Terms
    """Terms that one frame must show, all of them. A string stands for a text term, and one term for a list of one."""

    without: _Terms = ()
    """Terms that the frame must not show, none of them. Scores are combined for this: text towers hardly understand
    the word "without"."""

    @model_validator(mode="after")
    def _check_shows(self) -> Step:
        if not self.shows:
            raise ValueError("`shows` is empty; name at least one thing that the moment shows")
        return self

    def __str__(self) -> str:
        shows = " and ".join(map(str, self.shows))
        return " without ".join([shows, *map(str, self.without)])


class Then(Step):
    """A later step of a question, in the same video."""

    within: float = Field(default=60.0, gt=0)
    """Maximum number of seconds from the end of the previous step to the start of this one. The two may overlap, but
    this one must start later and end later."""


def _many(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _names(value: Any) -> Any:
    return (value,) if isinstance(value, str) else _many(value)


_Names = Annotated[tuple[str, ...], BeforeValidator(_names)]


def _time_of_day(text: str) -> str:
    RecordingTimes.of(time_of_day=text)
    return text


def _first_date(text: str) -> str:
    RecordingTimes.of(recorded_from=text)
    return text


def _last_date(text: str) -> str:
    RecordingTimes.of(recorded_to=text)
    return text


class Query(Step):
    """A question."""

    none: bool = False
    """Search for absences: intervals of video in which no sampled frame reaches the minimum score."""

    then: Annotated[tuple[Then, ...], BeforeValidator(_many)] = ()
    """Later steps, in order; the answer's moments span all steps."""

    at_least: int = Field(default=1, ge=1)
    """Only videos with at least this many such moments."""

    videos: Annotated[tuple[str, ...], BeforeValidator(_many)] = ()
    """Only these videos: names, paths, URIs or ids; empty for all."""

    where: dict[str, Scalar] = Field(default_factory=dict)
    """Only videos whose metadata has these entries."""

    labels: _Names = ()
    """Only frames in an interval of each of these labels of the library's label set; a string is one label."""

    not_labels: _Names = ()
    """Only frames in no interval of these labels. Videos that are not labelled are left out, and reported."""

    after: float | None = Field(default=None, ge=0)
    """Only moments whose best frame is at this second of its video or later."""

    before: float | None = Field(default=None, gt=0)
    """Only moments whose best frame is before this second of its video."""

    time_of_day: Annotated[str, AfterValidator(_time_of_day)] | None = None
    """Only moments whose best frame was recorded in this daily time range, as "8:00-17:30" or "22:00-6:00", in local
    time; `search.recorded_at` names the metadata entry with the start of the recording."""

    recorded_from: Annotated[str, AfterValidator(_first_date)] | None = None
    """Only moments whose best frame was recorded at this time or later: a date, as "2026-11-20", or a date and time, as
    "2026-11-20T08:30". Local time, unless it has a time zone."""

    recorded_to: Annotated[str, AfterValidator(_last_date)] | None = None
    """Only moments whose best frame was recorded before this time, or on or before this date."""

    top: int | None = Field(default=None, ge=1, le=1000)
    """Maximum number of moments on a page; None for the value of `search.top`."""

    page: int = Field(default=1, ge=1)
    """Number of the page, counted from 1."""

    per_video: int | None = Field(default=None, ge=1)
    """Maximum number of moments per video; None for no limit."""

    refine: bool = False
    """Decode the videos of the page's moments again around uncertain boundaries, to make these exact to the frame."""

    min_score: float | None = Field(default=None, ge=0, le=1)
    """Leave out moments with a lower score; None for the value of `search.min_score`."""

    @model_validator(mode="after")
    def _check_part(self) -> Query:
        if self.after is not None and self.before is not None and self.before <= self.after:
            raise ValueError(f"`before` is {self.before:g} s, not later than `after` at {self.after:g} s")
        _ = self.recording_times
        if both := [name for name in self.labels if name in self.not_labels]:
            raise ValueError(f"label {both[0]!r} is both in `labels` and in `not_labels`; leave one of the two out")
        others = {"then": self.then, "at_least": self.at_least > 1, "per_video": self.per_video, "refine": self.refine}
        if self.none and (excluded := [name for name, value in others.items() if value]):
            raise ValueError(f"`none` cannot be combined with {', '.join(excluded)}; leave one of them out")
        return self

    @property
    def recording_times(self) -> RecordingTimes | None:
        """The recording times that the question allows; None if it allows all."""
        return RecordingTimes.of(self.time_of_day, self.recorded_from, self.recorded_to)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of the question, in order; most questions have one."""
        return Step(shows=self.shows, without=self.without), *self.then

    def __str__(self) -> str:
        return ", then ".join(map(str, self.steps))


def as_query(question: str | Mapping[str, Any] | Query, overrides: Mapping[str, Any] | None = None) -> Query:
    """Make a validated `Query` from a text, a mapping of fields, or another `Query`, optionally with overrides.

    A `Query` without overrides is returned as it is, since it was validated when it was made.

    Args:
        question: A text that describes the moment; or the fields of a question, as in JSON; or a `Query`.
        overrides: Fields of `Query` that replace those of the question.

    Raises:
        QueryError: The text is empty, or a field is unknown, of the wrong type or out of range.
    """
    if isinstance(question, Query) and not overrides:
        return question
    if isinstance(question, str) and not question.strip():
        raise QueryError("the question is empty; describe what the moment shows, as 'a person in a hard hat'")
    data = {"shows": question} if isinstance(question, str) else question
    fields = data.model_dump(mode="json") if isinstance(data, Query) else data
    return _validated({**fields, **(overrides or {})}, "the question")


def moments_query(
    question: str | Query,
    *,
    top: int | None = None,
    videos: Iterable[str] = (),
    metadata: Mapping[str, Scalar] | None = None,
    min_score: float | None = None,
) -> Query:
    """Make the question of `Library.search` from its arguments.

    Raises:
        QueryError: A value is invalid, or the question asks for absences.
    """
    fields = {"top": top, "videos": tuple(videos), "where": dict(metadata or {}), "min_score": min_score}
    query = as_query(question, {name: value for name, value in fields.items() if value not in (None, (), {})})
    if query.none:
        raise QueryError("a question with `none` finds no moments; use `ask`, whose answer has `absences`")
    return query


def read_query(text: str | bytes, origin: str = "the question") -> Query:
    """Parse a question from JSON: an object with the fields of `Query`, or a string as the text of a single term.

    Args:
        text: The JSON text.
        origin: Name of the input in error messages.

    Raises:
        QueryError: It is not valid JSON, or a field is unknown, of the wrong type or out of range.
    """
    try:
        data = parse_json(text)
    except ValueError as error:
        raise QueryError(
            f'{origin} is not valid JSON ({error}); write {{"shows": "a person in a hard hat"}}'
        ) from error
    if isinstance(data, str):
        data = {"shows": data}
    if not isinstance(data, dict):
        raise QueryError(f"{origin}: expected an object or a string, got {text[:60]!r}")
    return _validated(data, origin)


def _validated(fields: Mapping[str, Any], origin: str) -> Query:
    try:
        json.dumps(fields, ensure_ascii=False, default=str).encode()
        return validate(Query, fields, origin)
    except UnicodeEncodeError as error:
        raise QueryError(
            f"{origin} is not UTF-8; refer to a video or file with such a name by its id, or by a link to it"
        ) from error
    except ConfigError as error:
        raise QueryError(str(error)) from error
    except RecursionError as error:
        raise QueryError(f"{origin} is nested too deeply ({error})") from error
