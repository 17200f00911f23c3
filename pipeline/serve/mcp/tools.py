"""The eight tools, and the server that offers them."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Annotated, Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp_types import CallToolResult, ContentBlock, ImageContent, TextContent, ToolAnnotations
from PIL import Image
from pydantic import ConfigDict, Field

from pipeline.errors import MomentseekError, QueryError
from pipeline.library.saved.named_documents import NAME_RULE
from pipeline.serve.mcp.agent_library import AgentLibrary, describe_coverage, fields_of, problem_text, score_range
from pipeline.serve.mcp.library_overview import describe_library, list_label_sets, list_page
from pipeline.serve.mcp.tables import EVIDENCE, answer_fields, answer_text
from pipeline.timecode import format_seconds
from pipeline.types.moment_id import MomentId

__all__ = ["make_server"]

_INSTRUCTIONS = (
    "Searches a library of indexed videos for the moments that a text describes. Start with library_status, then"
    " search_moments with a short description of what is visible ('a person in a hard hat'); look at results with"
    f" view_moment. {EVIDENCE} Sound and speech are not searched."
)
_MAX_SIDE = 1568
_JPEG_QUALITY = 85
_READS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
_ADDS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
_REPLACES = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)

_MomentIdText = Annotated[str, Field(description="Id of a moment, VIDEO@START,END in seconds.", max_length=250)]
_Text = Annotated[str, Field(max_length=1000)]
_Texts = Annotated[list[_Text] | None, Field(max_length=8)]
_Names = Annotated[list[_Text] | None, Field(max_length=1000)]
_Where = dict[str, str | int | float | bool] | None


def make_server(agent_library: AgentLibrary) -> MCPServer[Any]:
    """Make a server with the tools; the caller runs it, and closes the library afterwards."""
    tools = _Tools(agent_library)
    return MCPServer(
        "momentseek",
        title="momentseek",
        instructions=_INSTRUCTIONS,
        version=version("momentseek"),
        log_level="WARNING",
        tools=[
            _strict_tool(tools.search_moments, "Search moments", _READS),
            _strict_tool(tools.view_moment, "View a moment", _READS),
            _strict_tool(tools.list_videos, "List videos", _READS),
            _strict_tool(tools.check_moment, "Check a statement on a moment", _READS),
            _strict_tool(tools.export_clip, "Export a clip", _ADDS),
            _strict_tool(tools.list_labels, "List labels", _READS),
            _strict_tool(tools.library_status, "Library status", _READS),
            _strict_tool(tools.save_query, "Save a search", _REPLACES),
        ],
    )


def _strict_tool(function: Callable[..., CallToolResult], title: str, hints: ToolAnnotations) -> Tool:
    """Make a tool that refuses unknown arguments, such as a misspelt filter; the SDK's own tools ignore them."""
    tool = Tool.from_function(function, title=title, annotations=hints)
    arguments = tool.fn_metadata.arg_model
    strict: Any = type(arguments.__name__, (arguments,), {"model_config": ConfigDict(extra="forbid")})
    tool.fn_metadata.arg_model = strict
    tool.parameters = strict.model_json_schema(by_alias=True)
    return tool


class _Tools:
    """The functions of the tools; their docstrings and types are what the agent is told."""

    def __init__(self, agent_library: AgentLibrary) -> None:
        self._agent = agent_library

    def search_moments(  # noqa: PLR0913 - each parameter is optional
        self,
        query: Annotated[_Text, Field(description="What is visible in the moment, as 'a person in a hard hat'.")],
        *,
        also: Annotated[_Texts, Field(description="Further things that the same frame shows.")] = None,
        without: Annotated[_Texts, Field(description="Things that the frame must not show.")] = None,
        then: Annotated[_Texts, Field(description="What follows within a minute, in order.")] = None,
        videos: Annotated[_Names, Field(description="Only these videos: ids or file names.")] = None,
        where: Annotated[_Where, Field(description="Only videos with these metadata entries.")] = None,
        labels: Annotated[_Texts, Field(description="Only frames with these labels (list_labels).")] = None,
        recorded_from: Annotated[str | None, Field(description="Recorded at or after, as 2026-11-20T08:30.")] = None,
        recorded_to: Annotated[str | None, Field(description="Recorded before, or on or before a date.")] = None,
        min_score: Annotated[float | None, Field(ge=0, le=1, description="Minimum score; default 0.5.")] = None,
        top: Annotated[int, Field(ge=1, le=24, description="Moments on a page.")] = 6,
        page: Annotated[int, Field(ge=1, le=1000)] = 1,
    ) -> CallToolResult:
        """Find the moments that a description matches, best first.

        Returns a contact sheet with the best frame, time and score curve of each moment, numbered as in the table of
        moment ids that follows. "No result" means that the indexed videos were searched and nothing matches; what is
        not indexed, and so could not be found, is listed separately. Scores are retrieval evidence, not confirmation.
        """
        with self._answering():
            fields = fields_of(
                query,
                also=also,
                without=without,
                then=then,
                videos=videos,
                where=where,
                labels=labels,
                recorded_from=recorded_from,
                recorded_to=recorded_to,
                min_score=min_score,
            )
            self._agent.check_names(videos or ())
            answer, sheet, problem = self._agent.search({**fields, "top": top, "page": page})
            coverage = describe_coverage(self._agent.library)
            return _result(answer_text(answer, coverage, problem), answer_fields(answer, coverage), sheet)

    def view_moment(
        self, moment_id: _MomentIdText, frames: Annotated[int, Field(ge=1, le=16, description="Frames shown.")] = 6
    ) -> CallToolResult:
        """Show frames of a moment, at equal distances, on one picture.

        Any interval of an indexed video can be shown: write its id as VIDEO@START,END in seconds.
        """
        with self._answering():
            asked = MomentId.parse(moment_id)
            shown = self._agent.view(asked, frames)
            moment = shown.moment
            times = ", ".join(format_seconds(time) for time in shown.times_seconds)
            text = f"{moment}: frames at {times}."
            if shown.problem:
                text = f"{moment}: the frames cannot be shown here. {shown.problem}"
            elif problem := self._agent.library.indexed_videos.problems.get(moment.video_id):
                text = f"{text} The video cannot be shown: {problem_text(problem)}"
            text += _cut_text(asked, moment)
            metadata = dict(shown.record.metadata)
            fields = {"moment_id": str(moment), "times_seconds": list(shown.times_seconds), "metadata": metadata}
            return _result(text, fields, shown.sheet)

    def list_videos(
        self,
        name: Annotated[str | None, Field(description="Only videos whose file name contains this text.")] = None,
        where: Annotated[_Where, Field(description="Only videos with these metadata entries.")] = None,
        page: Annotated[int, Field(ge=1, le=100_000)] = 1,
    ) -> CallToolResult:
        """List the indexed videos with their ids, durations and metadata, 50 a page."""
        with self._answering():
            return _result(*list_page(self._agent.library, name, where or {}, page))

    def check_moment(
        self,
        moment_id: _MomentIdText,
        statement: Annotated[_Text, Field(description="What the frames may show, as 'the person wears a hard hat'.")],
    ) -> CallToolResult:
        """Score how well a statement fits the sampled frames of a moment (zero-shot, calibrated on this library).

        The score is evidence, not confirmation: the model does not understand negation, counts or small print.
        """
        with self._answering():
            asked = MomentId.parse(moment_id)
            found = self._agent.check(asked, statement)
            moment = found.moment
            reached = f"{found.reaching} of {found.frame_count} sampled frames reach {found.min_score:g}"
            verdict = "evidence for it" if found.reaching else "no evidence for it"
            best = format_seconds(found.best_seconds)
            scores = f"Scores: {score_range(found)}; {reached}; best at {best}."
            parts = [f"{statement!r} on {moment}: {verdict}. {scores}{_cut_text(asked, moment)}"]
            if found.unknown_words:
                parts.append(f"The model does not know: {', '.join(found.unknown_words)}. Use other words.")
            fields = {
                "moment_id": str(moment),
                "highest_score": round(found.highest, 4),
                "median_score": round(found.median, 4),
                "best_seconds": found.best_seconds,
                "frames": found.frame_count,
                "frames_reaching": found.reaching,
                "min_score": found.min_score,
                "unknown_words": list(found.unknown_words),
            }
            return _result("\n\n".join([*parts, EVIDENCE]), fields)

    def export_clip(self, moment_id: _MomentIdText) -> CallToolResult:
        """Write a moment as an MP4 file, exact to the frame, with sound, into the library's folder of clips.

        The file is named by the moment's id. Exporting the same moment again writes the same file.
        """
        with self._answering():
            asked = MomentId.parse(moment_id)
            moment, name, size_bytes = self._agent.export(asked)
            text = f"Wrote {name} ({size_bytes / 2**20:.1f} MiB) to the library's clips.{_cut_text(asked, moment)}"
            return _result(text, {"moment_id": str(moment), "file": name, "size_bytes": size_bytes})

    def list_labels(self) -> CallToolResult:
        """List the library's label sets and their labels, which search_moments can filter by."""
        with self._answering():
            return _result(*list_label_sets(self._agent.library))

    def library_status(self) -> CallToolResult:
        """Describe the library: videos, duration, model, saved searches, and what is not indexed."""
        with self._answering():
            return _result(*describe_library(self._agent.library))

    def save_query(  # noqa: PLR0913 - each parameter is optional
        self,
        name: Annotated[str, Field(description=f"Name of the saved search: {NAME_RULE}.")],
        query: Annotated[_Text, Field(description="What is visible in the moment.")],
        *,
        also: Annotated[_Texts, Field(description="Further things that the same frame shows.")] = None,
        without: Annotated[_Texts, Field(description="Things that the frame must not show.")] = None,
        then: Annotated[_Texts, Field(description="What follows within a minute, in order.")] = None,
        videos: Annotated[_Names, Field(description="Only these videos.")] = None,
        where: Annotated[_Where, Field(description="Only videos with these metadata entries.")] = None,
        labels: Annotated[_Texts, Field(description="Only frames with these labels.")] = None,
        recorded_from: str | None = None,
        recorded_to: str | None = None,
        min_score: Annotated[float | None, Field(ge=0, le=1)] = None,
        replace: Annotated[bool, Field(description="Replace another search of this name.")] = False,
    ) -> CallToolResult:
        """Save a search in the library under a name, for people and other programs; nothing is searched.

        Unless `replace` is true, an existing search of this name with another question is left as it is.
        """
        with self._answering():
            fields = fields_of(
                query,
                also=also,
                without=without,
                then=then,
                videos=videos,
                where=where,
                labels=labels,
                recorded_from=recorded_from,
                recorded_to=recorded_to,
                min_score=min_score,
            )
            saved = self._agent.save(name, fields, replace=replace)
            shown = {"name": saved.name, "query": saved.query.model_dump(mode="json", exclude_defaults=True)}
            return _result(f"Saved as {saved.name!r}: {saved.query}.", {**shown, "saved_at": saved.saved_at})

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Answer one call at a time; what momentseek says is wrong becomes an error that the agent can read."""
        with self._agent.lock:
            try:
                yield
            except QueryError as error:
                raise ToolError(problem_text(error)) from error
            except (MomentseekError, OSError) as error:
                raise ToolError(f"{problem_text(error)}. library_status describes the library's state") from error


def _cut_text(asked: MomentId, moment: MomentId) -> str:
    """Say that a moment was cut off where its video ends; empty if it was not."""
    if asked == moment:
        return ""
    end, wanted = format_seconds(moment.end_seconds), f"{asked.end_seconds:g} s"
    return f" The video ends at {end}, before {wanted}; what was asked for beyond its end is left out."


def _result(text: str, fields: dict[str, Any], picture: Image.Image | None = None) -> CallToolResult:
    content: list[ContentBlock] = [] if picture is None else [_image_content(picture)]
    return CallToolResult(content=[*content, TextContent(type="text", text=text)], structured_content=fields)


def _image_content(picture: Image.Image) -> ImageContent:
    """Encode a picture, scaled down to the size that models see."""
    picture.thumbnail((_MAX_SIDE, _MAX_SIDE))
    file = io.BytesIO()
    picture.convert("RGB").save(file, "JPEG", quality=_JPEG_QUALITY)
    return ImageContent(type="image", data=base64.b64encode(file.getvalue()).decode(), mime_type="image/jpeg")
