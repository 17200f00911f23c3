from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from command_result import Result
from label_library import keep_labels

from pipeline.analyze.labels.label_set import as_label_set
from pipeline.library import Library
from pipeline.run_config import load_run_config

Run = Callable[..., Result]


def data_of(page: Path) -> dict[str, list]:
    found = re.search(r'id="data">(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_the_page_holds_each_moment_with_its_picture_and_what_is_known_of_it(
    momentseek: Run, same_four: tuple[str, str], tmp_path: Path
) -> None:
    page = tmp_path / "map.html"
    result = momentseek("map", *same_four, "-o", page, "--json")
    assert result.code == 0, result.err
    (said,) = result.objects()
    data = data_of(page)
    assert len(data["points"]) == said["moments"] == said["total"] >= 4
    assert data["colourings"] == ["cluster", "video", "camera"]
    assert {point[2] for point in data["points"]} == {"a.mp4", "b.mp4", "yard.mp4", "odd[1].mp4"}
    assert {point[6][2] for point in data["points"]} == {"gate", "yard"}
    assert all(point[7].startswith("/9j/") for point in data["points"])


def test_a_misspelt_entry_for_cameras_is_refused(momentseek: Run, same_four: tuple[str, str], tmp_path: Path) -> None:
    page = tmp_path / "map.html"
    result = momentseek("map", *same_four, "-o", page, "--camera", "camrea")
    assert result.code == 2
    assert "did you mean 'camera'?" in result.err
    assert not page.exists()


def test_a_sample_without_pictures_in_words_of_ones_own(
    momentseek: Run, same_four: tuple[str, str], tmp_path: Path
) -> None:
    page, words = tmp_path / "map.html", tmp_path / "words.txt"
    words.write_text("grey\n\ndark grey\n")
    result = momentseek("map", *same_four, "-o", page, "--most", "2", "--no-pictures", "--words", words, "--json")
    assert result.code == 0, result.err
    points = data_of(page)["points"]
    assert 1 <= len(points) <= 2 < result.objects()[0]["total"]
    assert {point[7] for point in points} == {None}
    assert set(data_of(page)["names"]) <= {"grey", "dark grey", ""}


def test_some_videos_and_errors(momentseek: Run, same_four: tuple[str, str], tmp_path: Path) -> None:
    page = tmp_path / "map.html"
    assert momentseek("map", "yard.mp4", *same_four, "-o", page, "--no-pictures").code == 0
    assert {point[2] for point in data_of(page)["points"]} == {"yard.mp4"}
    nowhere = momentseek("map", *same_four, "-o", tmp_path / "no" / "map.html", "--no-pictures")
    assert (nowhere.code, "the map cannot be written" in nowhere.err) == (1, True)
    binary = tmp_path / "words.bin"
    binary.write_bytes(b"\xff\xfe")
    assert momentseek("map", *same_four, "-o", page, "--words", binary).code == 2
    assert momentseek("map", "none.mp4", *same_four, "-o", page).code == 2


def test_points_are_coloured_by_the_best_label_of_each_group(
    momentseek: Run, four: tuple[str, str], tmp_path: Path
) -> None:
    page, name = tmp_path / "map.html", "site.yaml"
    options = ("-o", page, "--no-pictures")
    missing = momentseek("map", *four, *options, "--label-set", "site")
    assert (missing.code, "has no labels" in missing.err) == (2, True)
    label_set = as_label_set(
        {
            "labels": {"day": "a", "night": "b", "person": "c", "dust": {"prompts": "d", "mode": "score_only"}},
            "groups": {"light": "day | night"},
        }
    )
    with Library.open(load_run_config(four[1])) as library:
        ids = {Path(record.last_name).name: record.video_id for record in library.survey()[0]}
        made = {
            ids["a.mp4"]: {"day": [(0.0, 1.0)], "night": [(1.0, 3.0)]},
            ids["b.mp4"]: {"day": [(0.0, 3.0)], "person": [(0.0, 0.5)]},
            ids["yard.mp4"]: {},
        }
        keep_labels(library, made, label_set, name=name)
    for label_option in ((), ("--label-set", "site")):
        assert momentseek("map", *four, *options, *label_option).code == 0
        data = data_of(page)
        assert data["colourings"] == ["cluster", "label", "label: light", "video", "camera"]
        found = {(point[2], *point[6][1:3]) for point in data["points"]}
        assert found == {
            ("a.mp4", "", "night"),
            ("b.mp4", "person", "day"),
            ("yard.mp4", "", ""),
            ("odd[1].mp4", None, None),
        }
    wrong = momentseek("map", *four, *options, "--label-set", "sight")
    assert (wrong.code, "there are: site.yaml" in wrong.err) == (2, True)


def test_one_moment_is_no_plural_and_a_truth_value_is_written_as_it_was_given(
    momentseek: Run, four: tuple[str, str], make_video: Callable[..., Path], tmp_path: Path
) -> None:
    short = make_video("short.mp4", seconds=0.2)
    assert momentseek("index", short, *four).code == 0
    assert momentseek("metadata", "short.mp4", "--set", "camera=true", *four).code == 0
    page = tmp_path / "map.html"
    result = momentseek("map", "short.mp4", *four, "-o", page, "--no-pictures")
    assert result.out.startswith("1 moment, 1 cluster: ")
    assert data_of(page)["points"][0][6][2] == "true"
