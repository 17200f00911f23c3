"""What can be named on the command line, from end to end."""

from __future__ import annotations


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
        found = momentseek("search", "it", "-c", config, "--json", *options)
        assert {str(moment["uri"]).rpartition("/")[2] for moment in found.objects()} == names


def test_a_condition_that_is_none_is_a_usage_error(momentseek, config):
    result = momentseek("search", "it", "-c", config, "--where", "gate")
    assert (result.code, "expected NAME=VALUE" in result.err) == (2, True)


def test_a_broken_manifest_ends_before_anything_is_done(momentseek, config, make_video, tmp_path):
    make_video("a.mp4")
    (tmp_path / "m.csv").write_text("uri,n\na.mp4,1\n,2\n")
    result = momentseek("index", tmp_path / "m.csv", "-c", config)
    assert (result.code, result.out) == (2, "")
    assert "m.csv, line 3: 'uri' is ''" in result.err
    assert not (tmp_path / "library").exists()
