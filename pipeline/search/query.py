"""The query model, shared by Python, the command line and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from pipeline.config import Settings, validate
from pipeline.errors import ConfigError, QueryError
from pipeline.parsing import parse_json
from pipeline.search.filters.recording_time import RecordingTimes
from pipeline.types import Scalar
from pipeline.uris import public_name

__all__ = ["Query", "Step", "Term", "Then", "as_query", "read_query"]


class Term(Settings):
    """One thing that a moment shows, said in one of four ways.

    `text`; or `image`, a picture; or `clip`, a video of which `start` and `end` may be given; or `like`, a video of the
    library and the second `at` which, or the interval from `start` to `end` in which, it shows the thing.
    """

    text: str | None = None
    """What it is, as "a person in a hard hat"."""

    image: str | None = None
    """A picture file: path or URI."""

    clip: str | None = None
    """A video file, in the library or not: path or URI."""

    like: str | None = None
    """A video of the library: name, path or id."""

    start: float | None = Field(default=None, ge=0)
    """Seconds where the clip's part begins; None for its beginning."""

    end: float | None = Field(default=None, gt=0)
    """Seconds where it ends, not included; None for its end."""

    at: float | None = Field(default=None, ge=0)
    """With `like`: the second."""

    @model_validator(mode="after")
    def _check_kind(self) -> Term:
        kinds = [name for name in ("text", "image", "clip", "like") if getattr(self, name) is not None]
        if len(kinds) != 1:
            raise ValueError(f"a term is one of text, image, clip and like; this one has {', '.join(kinds) or 'none'}")
        if not getattr(self, kinds[0]).strip():
            raise ValueError(f"{kinds[0]} is empty; say what the moment shows, as 'a person in a hard hat'")
        if kinds[0] in ("text", "image") and (self.start, self.end, self.at) != (None, None, None):
            raise ValueError(f"{kinds[0]} has no start, end or at; they are for clip and like")
        if self.at is not None and (kinds[0] != "like" or (self.start, self.end) != (None, None)):
            raise ValueError("`at` is for `like` alone, in place of start and end")
        if self.start is not None and self.end is not None and not self.start < self.end:
            raise ValueError(f"it ends at {self.end}, not after its start at {self.start}")
        return self

    def __str__(self) -> str:
        if self.text is not None:
            return self.text
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
    """What one moment shows, and what it doesn't."""

    shows: _Terms
    """All of these, in one picture. A text may be written for a list of one term, and a string for a term of text."""

    without: _Terms = ()
    """None of these. This is arithmetic on scores: text towers hardly know what "without" means."""

    @model_validator(mode="after")
    def _check_shows(self) -> Step:
        if not self.shows:
            raise ValueError("`shows` is empty; name at least one thing that the moment shows")
        return self

    def __str__(self) -> str:
        said = " and ".join(map(str, self.shows))
        return " without ".join([said, *map(str, self.without)])


class Then(Step):
    """What comes after the step before, in the same video."""

    within: float = Field(default=60.0, gt=0)
    """Most seconds from the end of the step before to the beginning of this one; they may touch, and where one runs
    into the other, this one must begin, and end, later."""


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
    """Ask for what is not there: stretches of video in which no sampled frame reaches the score."""

    then: Annotated[tuple[Then, ...], BeforeValidator(_many)] = ()
    """One after another; the answer's moments span all steps."""

    at_least: int = Field(default=1, ge=1)
    """Only videos with so many such moments."""

    videos: Annotated[tuple[str, ...], BeforeValidator(_many)] = ()
    """Only these: names, paths, URIs or ids; empty for all."""

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
    """Only moments whose best frame was recorded in this part of a day, as "8:00-17:30" or "22:00-6:00", by the clock
    of the place; `search.recorded_at` names the metadata that says when a video begins."""

    recorded_from: Annotated[str, AfterValidator(_first_date)] | None = None
    """Only moments whose best frame was recorded at this time or later: a date, as "2026-11-20", or a date and time, as
    "2026-11-20T08:30". By the clock of the place, unless it names a zone."""

    recorded_to: Annotated[str, AfterValidator(_last_date)] | None = None
    """Only moments whose best frame was recorded before this time, or on this date or an earlier one."""

    top: int | None = Field(default=None, ge=1, le=1000)
    """Most moments of a page; None for the configuration's number."""

    page: int = Field(default=1, ge=1)
    """Which page, counted from 1."""

    per_video: int | None = Field(default=None, ge=1)
    """Most moments of one video; None for any number."""

    refine: bool = False
    """Decode the videos of the page's moments again around uncertain ends, and say these to the frame."""

    min_score: float | None = Field(default=None, ge=0, le=1)
    """Moments with a lower score are no answer; None for the configuration's."""

    @model_validator(mode="after")
    def _check_part(self) -> Query:
        if self.after is not None and self.before is not None and self.before <= self.after:
            raise ValueError(f"`before` is {self.before:g} s, not later than `after` at {self.after:g} s")
        _ = self.recording_times
        if both := [name for name in self.labels if name in self.not_labels]:
            raise ValueError(f"label {both[0]!r} is both in `labels` and in `not_labels`; leave one of the two out")
        others = {"then": self.then, "at_least": self.at_least > 1, "per_video": self.per_video, "refine": self.refine}
        if self.none and (said := [name for name, value in others.items() if value]):
            raise ValueError(f"`none` lists stretches without a moment, and has no {', '.join(said)}; leave that out")
        return self

    @property
    def recording_times(self) -> RecordingTimes | None:
        """The recording times that it allows; None where it allows all."""
        return RecordingTimes.of(self.time_of_day, self.recorded_from, self.recorded_to)

    @property
    def steps(self) -> tuple[Step, ...]:
        """What is asked for one after another; of most questions one."""
        return Step(shows=self.shows, without=self.without), *self.then

    def __str__(self) -> str:
        return ", then ".join(map(str, self.steps))


def as_query(question: str | Mapping[str, Any] | Query, given: Mapping[str, Any] | None = None) -> Query:
    """Make a validated `Query` of a text, of the fields of a question, or of a `Query`, with further fields laid over.

    A `Query` that nothing is laid over is returned as it is: it was validated when it was made.

    Args:
        question: What the moment shows; or the fields of a whole question, as JSON has them; or a whole question.
        given: Fields of `Query` that replace the question's own.

    Raises:
        QueryError: The text is empty, or a field is unknown, of the wrong kind or out of range.
    """
    if isinstance(question, Query) and not given:
        return question
    if isinstance(question, str) and not question.strip():
        raise QueryError("the question is empty; describe what the moment shows, as 'a person in a hard hat'")
    data = {"shows": question} if isinstance(question, str) else question
    fields = data.model_dump(mode="json") if isinstance(data, Query) else data
    return _validated({**fields, **(given or {})}, "the question")


def read_query(text: str | bytes, origin: str = "the question") -> Query:
    """A question from JSON: an object with the fields of `Query`, or a string for a text alone.

    Args:
        text: JSON.
        origin: What to call it in errors.

    Raises:
        QueryError: It is no JSON, or a field is unknown, of the wrong kind or out of range.
    """
    try:
        data = parse_json(text)
    except ValueError as error:
        raise QueryError(
            f'{origin} is not JSON that can be read ({error}); write {{"shows": "a person in a hard hat"}}'
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
            f"{origin} is not UTF-8; a video or file of such a name goes by its id, or by a link"
        ) from error
    except ConfigError as error:
        raise QueryError(str(error)) from error
    except RecursionError as error:
        raise QueryError(f"{origin} is nested too deeply ({error})") from error
