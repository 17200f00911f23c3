"""The eight tools on a real library, through the SDK's client."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from pathlib import Path
from typing import Any

import av
import pytest
from mcp import Client
from PIL import Image

from pipeline import Library, Source
from pipeline.errors import QueryError
from pipeline.library.saved.named_documents import NAME_RULE
from pipeline.library.saved.saved_queries import LibraryQueries
from pipeline.serve.mcp.agent_library import AgentLibrary
from pipeline.serve.mcp.tools import make_server
from pipeline.store import FailureLog
from pipeline.types import Status, VideoReport
from pipeline.types.moment_id import MomentId

NAMES = [
    "search_moments",
    "view_moment",
    "list_videos",
    "check_moment",
    "export_clip",
    "list_labels",
    "library_status",
    "save_query",
]


def text_of(result: Any) -> str:
    return "\n".join(part.text for part in result.content if part.type == "text")


def picture_of(result: Any) -> Image.Image:
    (found,) = [part for part in result.content if part.type == "image"]
    assert found.mime_type == "image/jpeg"
    return Image.open(io.BytesIO(base64.b64decode(found.data)))


def moment_of(call: Any) -> str:
    return str(call("search_moments", query="a forklift").structured_content["moments"][0]["moment_id"])


def test_there_are_eight_tools_that_say_whether_they_change_anything(library: Library) -> None:
    async def listed() -> Any:
        async with Client(make_server(AgentLibrary(library))) as client:
            return (await client.list_tools()).tools

    tools = asyncio.run(listed())
    assert [tool.name for tool in tools] == NAMES
    hints = {tool.name: tool.annotations for tool in tools}
    assert [name for name in NAMES if not hints[name].read_only_hint] == ["export_clip", "save_query"]
    assert [name for name in NAMES if hints[name].destructive_hint] == ["save_query"]
    assert all(hints[name].idempotent_hint and hints[name].open_world_hint is False for name in NAMES)
    assert all(tool.description and tool.title for tool in tools)
    # Together they take a small part of an agent's context.
    assert len(json.dumps([tool.model_dump(mode="json", exclude_none=True) for tool in tools])) < 12_000


def test_a_search_returns_a_sheet_and_a_table_of_ids(call: Any, library: Library) -> None:
    result = call("search_moments", query="a forklift", top=1)
    moment = result.structured_content["moments"][0]
    expected = library.search("a forklift", top=1)[0]
    assert moment["moment_id"] == f"{expected.video_id}@12.375,16.375"
    assert (moment["score"], moment["best_seconds"]) == (round(expected.score, 4), expected.best_seconds)
    text = text_of(result)
    assert f"| 1 | 0.99 | {moment['moment_id']} | site.mp4 | 0:12.375 - 0:16.375 | 0:12.500 |" in text
    assert "retrieval evidence" in text
    assert "confirm" in text
    sheet = picture_of(result)
    assert 400 < max(sheet.size) <= 1568
    # No path, neither in the text nor in the structured content.
    assert str(Path(expected.uri).parent) not in json.dumps(result.model_dump(mode="json"))


def test_no_result_differs_from_not_indexed(call: Any, library: Library) -> None:
    nothing = call("search_moments", query="a fire")
    assert (nothing.is_error, nothing.structured_content["moments"]) == (False, [])
    assert text_of(nothing).startswith("No result: nothing matches 'a fire'")
    assert "all indexed videos were searched" in text_of(nothing)
    assert nothing.structured_content["nearest"]["moment_id"] in text_of(nothing)
    unknown = call("search_moments", query="a forklift", videos=["other.mp4"])
    assert (unknown.is_error, "not indexed" in text_of(unknown), "list_videos" in text_of(unknown)) == (True,) * 3
    failed = VideoReport(source=Source("/videos/broken.mp4"), status=Status.FAILED, problem="not a video")
    log = FailureLog(library.config.library)
    log.open()
    log.remember(failed)
    partly = call("search_moments", query="a fire")
    assert "Not indexed: 1 source failed (broken.mp4)" in text_of(partly)
    assert "all indexed videos" not in text_of(partly)
    assert "/videos" not in json.dumps(partly.model_dump(mode="json"))
    status = call("library_status").structured_content
    assert [one["source"] for one in status["failed_sources"]] == ["broken.mp4"]


def test_words_that_the_model_does_not_know_are_named(call: Any) -> None:
    assert "does not know: dragon" in text_of(call("search_moments", query="a dragon"))
    moment = moment_of(call)
    assert call("check_moment", moment_id=moment, statement="a dragon").structured_content["unknown_words"] == [
        "dragon"
    ]


def test_all_parts_of_a_question_reach_the_search(call: Any) -> None:
    found = call("search_moments", query="snow", where={"camera": "north"}).structured_content
    assert found["found"] >= 1
    assert call("search_moments", query="a forklift", without=["a forklift"]).structured_content["moments"] == []
    second = call("search_moments", query="a forklift", top=1, page=2)
    assert "no page 2" in text_of(second) or second.structured_content["page"] == 2
    wrong = call("search_moments", query="snow", where={"colour": "red"})
    assert wrong.is_error or "colour" in text_of(wrong)


def test_a_moment_is_shown_and_checked(call: Any) -> None:
    moment = moment_of(call)
    shown = call("view_moment", moment_id=moment, frames=4)
    assert len(shown.structured_content["times_seconds"]) == 4
    assert shown.structured_content["metadata"] == {"camera": "north"}
    assert picture_of(shown).width > 300
    found = call("check_moment", moment_id=moment, statement="a forklift").structured_content
    assert found["highest_score"] > 0.9
    assert found["frames_reaching"] >= 7
    other = call("check_moment", moment_id=moment, statement="a red car")
    assert (other.structured_content["frames_reaching"], "no evidence" in text_of(other)) == (0, True)
    assert "confirm" in text_of(other)


def test_a_clip_is_written_below_the_library_only(call: Any, place: Path) -> None:
    moment = moment_of(call)
    for _ in range(2):
        made = call("export_clip", moment_id=moment).structured_content
    path = place / "clips" / made["file"]
    assert (path.name, path.stat().st_size) == (f"{moment}.mp4", made["size_bytes"])
    with av.open(str(path)) as container:
        assert float(container.duration or 0) / 1e6 == pytest.approx(4, abs=0.1)
    path.unlink()
    (place / "clips").rmdir()
    (place / "clips").symlink_to(place.parent)
    assert "not a folder" in text_of(call("export_clip", moment_id=moment))


@pytest.mark.parametrize("moment", ["", "x", "../../etc/passwd@0,1", "a@1,1", "a@2,1", "a@1e3,2", "a@-1,2", "a@0,1\n@"])
def test_what_is_no_id_is_refused_with_an_example(call: Any, moment: str) -> None:
    for name in ("view_moment", "export_clip"):
        result = call(name, moment_id=moment)
        assert (result.is_error, "144bec235d5b1cc0@12.84,17.36" in text_of(result)) == (True, True)


def test_ids_of_unknown_videos_and_times_say_how_to_go_on(call: Any) -> None:
    unknown = call("view_moment", moment_id="feedfeedfeedfeed@0,1")
    assert (unknown.is_error, "list_videos" in text_of(unknown)) == (True, True)
    video = moment_of(call).partition("@")[0]
    late = call("check_moment", moment_id=f"{video}@100,101", statement="snow")
    assert (late.is_error, "lasts 24" in text_of(late)) == (True, True)


@pytest.mark.parametrize("end", ["24.17", "25", "1e9", "1e300"])
def test_what_lies_beyond_the_end_of_a_video_is_cut_off_and_said(
    call: Any, library: Library, place: Path, end: str
) -> None:
    (record,) = library.videos()
    cut = str(MomentId(record.video_id, 22.0, record.duration_seconds))
    asked = f"{record.video_id}@22,{end}"
    shown = call("view_moment", moment_id=asked, frames=3)
    checked = call("check_moment", moment_id=asked, statement="snow")
    exported = call("export_clip", moment_id=asked)
    for result in (shown, checked, exported):
        assert result.structured_content["moment_id"] == cut
        assert "The video ends at 0:24.167" in text_of(result)
    assert max(shown.structured_content["times_seconds"]) < record.duration_seconds
    assert [path.name for path in (place / "clips").iterdir()] == [f"{cut}.mp4"]
    whole = call("view_moment", moment_id=cut)
    assert (whole.structured_content["moment_id"], "ends at" in text_of(whole)) == (cut, False)


@pytest.mark.parametrize("name", ["a/b", "..", ".x", "a\\b", "x" * 101, "x" * 5000, " ", "list.csv"])
def test_what_cannot_be_the_name_of_a_search_is_refused_as_everywhere(call: Any, library: Library, name: str) -> None:
    result = call("save_query", name=name, query="snow")
    assert (result.is_error, NAME_RULE in text_of(result)) == (True, True)
    assert LibraryQueries(library).listed() == []


def test_the_library_is_described(call: Any) -> None:
    videos = call("list_videos").structured_content["videos"]
    assert [(one["video"], one["metadata"]) for one in videos] == [("site.mp4", {"camera": "north"})]
    assert call("list_videos", name="SITE").structured_content["found"] == 1
    assert "No indexed video fits" in text_of(call("list_videos", name="harbour"))
    assert "not labelled yet" in text_of(call("list_labels"))
    assert call("list_videos", page=2).is_error
    status = call("library_status")
    assert "1 indexed video, 0:24" in text_of(status)


def test_a_search_is_saved_and_not_lost_by_accident(call: Any, library: Library) -> None:
    saved = call("save_query", name="lifts", query="a forklift", without=["a person"], min_score=0.7)
    assert saved.structured_content["query"]["without"] == [{"text": "a person"}]
    again = call("save_query", name="Lifts", query="snow")
    assert (again.is_error, "replace" in text_of(again)) == (True, True)
    (kept,) = LibraryQueries(library).listed()
    assert (kept.query.min_score, library.ask(kept.query).query) == (0.7, kept.query)
    assert not call("save_query", name="lifts", query="snow", replace=True).is_error
    assert "'lifts'" in text_of(call("library_status"))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("search_moments", {"query": "  "}),
        ("search_moments", {"query": "x" * 1001}),
        ("search_moments", {"query": "snow", "top": 1000}),
        ("search_moments", {"query": "snow", "recorded_from": "yesterday"}),
        ("search_moments", {}),
        ("search_moments", {"query": "snow", "limit": 3}),
        ("list_videos", {"names": ["site.mp4"]}),
        ("library_status", {"verbose": True}),
        ("save_query", {"name": "a\x07b", "query": "snow"}),
        ("check_moment", {"moment_id": "a@0,1", "statement": ""}),
    ],
)
def test_bad_arguments_are_errors_that_an_agent_can_read(call: Any, name: str, arguments: dict[str, Any]) -> None:
    result = call(name, **arguments)
    assert result.is_error
    assert len(text_of(result)) > 60


def test_an_empty_library_says_that_nothing_is_indexed(tmp_path: Path) -> None:
    with Library.open(tmp_path / "empty") as library:
        server = make_server(AgentLibrary(library))

        async def answers() -> list[str]:
            async with Client(server) as client:
                calls = (("library_status", {}), ("list_videos", {}), ("search_moments", {"query": "snow"}))
                return [text_of(await client.call_tool(name, arguments)) for name, arguments in calls]

        status, videos, search = asyncio.run(answers())
    assert "Nothing is indexed yet" in status
    assert "No video is indexed yet" in videos
    assert "holds no video yet" in search


def test_ids_survive_writing_and_reading() -> None:
    for start, end in ((0.0, 0.041667), (12.375, 16.375), (3599.999999, 3600.5), (0.1, 1234567.0)):
        one = MomentId("9e93c8d5a9456d3b", start, end)
        assert MomentId.parse(f" {one} ") == one
    assert replace_id("a-b.c_d") == MomentId("a-b.c_d", 1, 2)
    with pytest.raises(QueryError):
        MomentId.parse("a@1,2@3,4x")


def replace_id(video_id: str) -> MomentId:
    return MomentId.parse(f"{video_id}@1,2")


def test_several_agents_are_answered_in_turn(library: Library) -> None:
    server = make_server(AgentLibrary(library))

    async def ask() -> list[Any]:
        async with Client(server) as client:
            calls = [client.call_tool("search_moments", {"query": "snow", "top": 1}) for _ in range(4)]
            return list(await asyncio.gather(*calls))

    results = asyncio.run(ask())
    assert len({text_of(result) for result in results}) == 1
    assert not results[0].is_error
