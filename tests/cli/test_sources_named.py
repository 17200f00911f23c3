"""What can be named on the command line, from end to end."""

from __future__ import annotations

from web_server import WebServer


def test_a_manifests_columns_can_be_searched_by(momentseek, config, make_video, tmp_path):
    make_video("in/a.mp4", grey=60)
    make_video("in/b.mp4", grey=180)
    (tmp_path / "in" / "m.csv").write_text("uri,camera,take\na.mp4,gate,1\nb.mp4,yard,2\n")
    indexed = momentseek("index", tmp_path / "in" / "m.csv", "-c", config, "--json")
    assert [(report["status"], report["metadata"]) for report in indexed.objects()] == [
        ("done", {"camera": "gate", "take": 1}),
        ("done", {"camera": "yard", "take": 2}),
    ]
    for conditions, names in (
        (["camera=yard"], {"b.mp4"}),
        (["take=1"], {"a.mp4"}),
        (["camera=yard", "take=1"], set()),
    ):
        options = [part for condition in conditions for part in ("--where", condition)]
        found = momentseek("search", "it", "-c", config, "--set", "search.min_score=0", "--json", *options)
        assert found.code == 0, found.err
        assert {str(moment["uri"]).rpartition("/")[2] for moment in found.objects()} == names


def test_a_condition_that_is_none_is_a_usage_error(momentseek, config):
    result = momentseek("search", "it", "-c", config, "--set", "search.min_score=0", "--where", "gate")
    assert (result.code, "expected NAME=VALUE" in result.err) == (2, True)


def test_a_broken_manifest_ends_before_anything_is_done(momentseek, config, make_video, tmp_path):
    make_video("a.mp4")
    (tmp_path / "m.csv").write_text("uri,n\na.mp4,1\n,2\n")
    result = momentseek("index", tmp_path / "m.csv", "-c", config)
    assert (result.code, result.out) == (2, "")
    assert "m.csv, line 3: 'uri' is ''" in result.err
    assert not (tmp_path / "library").exists()


def test_urls_are_indexed_searched_and_shown(momentseek, config, make_video, tmp_path):
    with WebServer({"/a.mp4": make_video("a.mp4").read_bytes()}) as server:
        url = server.url("a.mp4", "?sig=s3cr3t-9f")
        indexed = momentseek("index", url, server.url("b.mp4"), "-c", config, "--json", "--set", "fetching.tries=1")
        found = momentseek(
            "search",
            "it",
            "-l",
            tmp_path / "library",
            "--set",
            "search.min_score=0",
            "--json",
            "-n",
            1,
            "--sheet",
            tmp_path / "s.png",
            "--clips",
            tmp_path / "clips",
        )
        cut = momentseek("cuts", url, "--json")
        again = momentseek("index", tmp_path / "a.mp4", "-c", config, "--json")
    assert [report["status"] for report in indexed.objects()] == ["done", "failed"]
    assert "no such file (404" in indexed.objects()[1]["problem"]
    assert found.objects()[0]["uri"] == server.url("a.mp4")
    assert [path.suffix for path in (tmp_path / "clips").iterdir()] == [".mp4"]
    assert cut.objects()[0]["uri"] == server.url("a.mp4")
    assert again.objects()[0]["status"] == "skipped"  # the same content, moved to the disk
    assert "s3cr3t" not in "".join(part for result in (indexed, found, cut) for part in (result.out, result.err))
    assert not [path for path in (tmp_path / "library").rglob("*") if path.is_file() and b"s3cr3t" in path.read_bytes()]
