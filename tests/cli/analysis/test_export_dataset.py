from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from command_result import Result
from PIL import Image

from pipeline.export.dataset import split_of

Run = Callable[..., Result]


def captions(folder: Path, *videos: str) -> Path:
    path = folder / "moments.jsonl"
    lines = [
        {"qid": number, "query": f"film {video}", "vid": video, "relevant_windows": [[0.0, 2.0]]}
        for number, video in enumerate(videos)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def samples(out: Path) -> list[tuple[str, str, dict, np.ndarray]]:
    """Split, key, KEY.json and picture of each sample."""
    found = []
    for path in sorted(out.glob("*.tar")):
        with tarfile.open(path) as shard:
            content = {member.name: shard.extractfile(member).read() for member in shard}
        for name, value in content.items():
            key, kind = name.split(".")
            if kind == "json":
                about = json.loads(value)
                assert content[f"{key}.txt"].decode() == about["text"]
                picture = np.asarray(Image.open(io.BytesIO(content[f"{key}.jpg"])))
                found.append((path.name.split("-")[0], key, about, picture))
    return found


def test_captions_and_marks_become_samples(momentseek: Run, four: tuple[str, str], tmp_path: Path) -> None:
    path = captions(tmp_path, "a.mp4", "b.mp4", "yard.mp4")
    assert momentseek("mark", "white bar", "yard.mp4@0-2", *four).code == 0
    assert momentseek("mark", "White  bar", "yard.mp4@0-0.9", "--no", *four).code == 0
    out = tmp_path / "out"
    result = momentseek(
        "export-dataset", out, "--captions", path, "--marks", "--same-picture", 1, "--validation", 0.4, "--json", *four
    )
    assert result.code == 0, result.err
    found = samples(out)
    assert {about["text"] for _, _, about, _ in found} == {"film a.mp4", "film b.mp4", "film yard.mp4", "white bar"}
    for split, key, about, picture in found:
        assert split == split_of(about["video_id"], 0.4)
        assert key.startswith(f"{about['video_id']}-{round(about['seconds'] * 1000):09d}")
        assert 0 <= about["seconds"] < 2
        assert picture.shape == (48, 64, 3)
    assert min(about["seconds"] for _, _, about, _ in found if about["text"] == "white bar") >= 0.9
    greys = {about["text"]: int(picture[40, 60, 0]) for _, _, about, picture in found}
    assert abs(greys["film a.mp4"] - 20) < 6
    assert abs(greys["film b.mp4"] - 60) < 6
    (manifest,) = result.objects()
    assert [(one["kind"], one["name"], one["intervals"]) for one in manifest["sources"]] == [
        ("captions", "moments.jsonl", 3), ("marks", "", 1),
    ]  # fmt: skip
    assert str(tmp_path) not in (out / "dataset.json").read_text()


def test_a_video_that_is_gone_is_named_and_left_out(momentseek: Run, four: tuple[str, str], tmp_path: Path) -> None:
    path = captions(tmp_path, "a.mp4", "b.mp4")
    (tmp_path / "gate" / "a.mp4").unlink()
    result = momentseek("export-dataset", tmp_path / "out", "--captions", path, *four)
    assert result.code == 1
    assert "a.mp4" in result.err
    assert {about["text"] for _, _, about, _ in samples(tmp_path / "out")} == {"film b.mp4"}


def test_errors(momentseek: Run, same_four: tuple[str, str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    path = captions(tmp_path, "a.mp4", "nowhere.mp4")
    assert "--captions" in momentseek("export-dataset", out, *same_four).err
    assert "nowhere" in momentseek("export-dataset", out, "--captions", path, *same_four).err
    assert "nothing to export" in momentseek("export-dataset", out, "--marks", *same_four).err
    assert momentseek("export-dataset", tmp_path, "--captions", path, "--skip-missing", *same_four).code == 1
    assert not out.exists()


@pytest.mark.parametrize("side", [16, 4096])
def test_pictures_are_made_smaller_but_never_larger(
    momentseek: Run, same_four: tuple[str, str], tmp_path: Path, side: int
) -> None:
    out = tmp_path / "out"
    options = ("--captions", captions(tmp_path, "a.mp4"), "--side", side, "--frames", 1)
    assert momentseek("export-dataset", out, *options, *same_four).code == 0
    ((_, _, _, picture),) = samples(out)
    assert min(picture.shape[:2]) == min(side, 48)


def test_labels_are_described_by_their_prompts_in_turn(momentseek: Run, four: tuple[str, str], tmp_path: Path) -> None:
    labels = tmp_path / "site.yaml"
    rules = "{prompts: [a grey wall, a plain wall], enter: 1.0e-12, exit: 1.0e-12, min_seconds: 0}"
    labels.write_text(f"labels:\n  wall: {rules}\n")
    assert momentseek("label", labels, *four).code == 0
    out = tmp_path / "out"
    result = momentseek("export-dataset", out, "--labels", "--label-set", "site", "--same-picture", 1, "--json", *four)
    assert result.code == 0, result.err
    (source,) = result.objects()[0]["sources"]
    assert (source["kind"], source["name"]) == ("labels", str(labels))
    found = samples(out)
    assert {about["text"] for _, _, about, _ in found} == {"a grey wall"}
    assert {about["source"] for _, _, about, _ in found} == {"labels"}
    assert len({about["video_id"] for _, _, about, _ in found}) == 4


def test_labels_that_are_not_there_are_an_error(momentseek: Run, four: tuple[str, str], tmp_path: Path) -> None:
    result = momentseek("export-dataset", tmp_path / "out", "--labels", *four)
    assert (result.code, "has no labels" in result.err) == (2, True)
    assert momentseek("export-dataset", tmp_path / "out", "--marks", "--label-set", "x", *four).code == 2
    assert not (tmp_path / "out").exists()
