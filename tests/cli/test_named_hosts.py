"""Hosts of URLs that are typed are the user's own naming; what a list names is not."""

from __future__ import annotations

from video_factory import make_video, steady
from web_server import WebServer


def test_typed_urls_are_indexed_and_remembered(momentseek, config, tmp_path):
    made = make_video(tmp_path / "a.mp4", steady(8))
    with WebServer({"/a.mp4": made.path.read_bytes(), "/list.txt": b"a.mp4\n"}) as server:
        (tmp_path / "list.txt").write_text(server.url("a.mp4"))
        refused = momentseek("index", tmp_path / "list.txt", "-c", config, "--json")
        assert [report["status"] for report in refused.objects()] == ["failed"]
        assert "set fetching.private_hosts to" in refused.objects()[0]["problem"]
        assert server.requests == []
        indexed = momentseek("index", server.url("list.txt"), "-c", config, "--json")
        assert [report["status"] for report in indexed.objects()] == ["done"]
        found = momentseek(
            *("search", "it", "-l", tmp_path / "library", "--set", "search.min_score=0", "-n", 1),
            *("--sheet", tmp_path / "s.png", "--clips", tmp_path / "clips"),
        )
        assert (found.code, "warning" in found.err) == (0, False)
        other = momentseek(
            *("search", "it", "-l", tmp_path / "library", "--set", "search.min_score=0", "-n", 1),
            *("--set", "fetching.private_hosts=[]", "--clips", tmp_path / "more"),
        )
        assert "set fetching.private_hosts to" in other.err


def test_cuts_take_a_typed_url(momentseek, tmp_path):
    made = make_video(tmp_path / "a.mp4", steady(8))
    with WebServer({"/a.mp4": made.path.read_bytes()}) as server:
        (tmp_path / "list.txt").write_text(server.url("a.mp4"))
        assert momentseek("cuts", server.url("a.mp4")).code == 0
        refused = momentseek("cuts", tmp_path / "list.txt")
    assert (refused.code, "set fetching.private_hosts to" in refused.err) == (1, True)
