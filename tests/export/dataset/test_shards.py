from __future__ import annotations

import errno
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import StoreError, StoreFullError
from pipeline.export.dataset import DatasetSettings, DatasetWriter, Sample, Split, jpeg_of, shards, split_of


def sample(video_id: str = "v", seconds: float = 1.5, text: str = "a dog") -> Sample:
    return Sample(video_id, seconds, text, jpeg_of(np.full((30, 40, 3), 90, np.uint8)), {"source": "marks"})


def write(folder: Path, *samples: Sample, **settings: float) -> dict:
    with DatasetWriter(folder, DatasetSettings(validation_share=0.0, **settings)) as writer:
        for one in samples:
            writer.add(one)
        return writer.finish({"format": 1})


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as shard:
        return {member.name: shard.extractfile(member).read() for member in shard}


def test_a_sample_is_picture_text_and_json(tmp_path: Path) -> None:
    write(tmp_path / "out", sample(text="ein Hünd"))
    found = members(tmp_path / "out" / "train-000000.tar")
    assert list(found) == ["v-000001500.jpg", "v-000001500.txt", "v-000001500.json"]
    assert found["v-000001500.txt"].decode() == "ein Hünd"
    assert Image.open(io.BytesIO(found["v-000001500.jpg"])).size == (40, 30)
    about = json.loads(found["v-000001500.json"])
    assert about == {"video_id": "v", "seconds": 1.5, "text": "ein Hünd", "source": "marks"}


def test_shards_have_so_many_samples_and_sizes_say_them(tmp_path: Path) -> None:
    manifest = write(tmp_path / "out", *(sample(seconds=number) for number in range(5)), samples_per_shard=2)
    sizes = json.loads((tmp_path / "out" / "sizes.json").read_text())
    assert sizes == {"train-000000.tar": 2, "train-000001.tar": 2, "train-000002.tar": 1}
    for name, size in sizes.items():
        assert len(members(tmp_path / "out" / name)) == 3 * size
    assert manifest["splits"]["train"] == {
        "shards": "train-{000000..000002}.tar", "samples": 5, "videos": 1, "texts": 1,
    }  # fmt: skip
    assert manifest["splits"]["validation"]["samples"] == 0
    assert json.loads((tmp_path / "out" / "dataset.json").read_text()) == manifest


def test_keys_are_unique_and_have_no_point(tmp_path: Path) -> None:
    write(tmp_path / "out", sample("a.b"), sample("a.b", text="a cat"), sample("a_b"), sample("a.b", seconds=1.5001))
    names = [name for name in members(tmp_path / "out" / "train-000000.tar") if name.endswith(".txt")]
    assert len(set(names)) == 4
    assert all(name.count(".") == 1 for name in names)


def test_the_same_samples_give_the_same_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path / name, sample(), sample("w"))
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["dataset.json", "sizes.json", "train-000000.tar"]
    assert all((tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes() for file in files)


def test_a_video_is_in_one_split_and_stays_there() -> None:
    chosen = {f"v{number}": split_of(f"v{number}", 0.25) for number in range(2000)}
    share = sum(split is Split.VALIDATION for split in chosen.values()) / len(chosen)
    assert 0.22 < share < 0.28
    assert all(split_of(video, 0.5) is Split.VALIDATION for video, split in chosen.items() if split == "validation")
    assert split_of("v", 0.0) is Split.TRAIN


def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for taken in (tmp_path, tmp_path / "file"):
        with pytest.raises(StoreError, match="not an empty folder"):
            DatasetWriter(taken, DatasetSettings())
    (tmp_path / "empty").mkdir()
    write(tmp_path / "empty", sample())
    assert (tmp_path / "empty" / "train-000000.tar").exists()


def test_nothing_is_left_of_what_was_not_finished(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "out", DatasetSettings()) as writer:
        writer.add(sample())
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with DatasetWriter(tmp_path / "out", DatasetSettings()) as writer:
        monkeypatch.setattr(shards, "_add", full)
        with pytest.raises(StoreFullError, match="no space left"):
            writer.add(sample())
    assert list(tmp_path.iterdir()) == []
