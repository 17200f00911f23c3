"""The way of a tag's weights: from the model hub, here a stand-in, into a cache and out of it."""

from __future__ import annotations

import random
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants
from model_hub import ModelHub

from pipeline.encode import Encoding, OpenClipEncoder
from pipeline.encode.weights.location import weights_file, weights_within_reach
from pipeline.errors import WeightsUnavailableError

REPOSITORY = "timm/MobileCLIP2-S0-OpenCLIP"
SAFE, PICKLED = f"{REPOSITORY}/open_clip_model.safetensors", f"{REPOSITORY}/open_clip_pytorch_model.bin"
CONTENT = random.Random(7).randbytes(300_000)
CHUNK_BYTES = 2**16


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelHub]:
    with ModelHub({SAFE: CONTENT}) as hub:
        # The client reads HF_ENDPOINT when it is imported; test_model_download.py sets that for a process of its own.
        monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
        template = f"{hub.endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        # What arrives is written by chunks, of 10 MiB; the rest of one that breaks off is downloaded again.
        monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", CHUNK_BYTES)
        yield hub


@pytest.fixture
def settings(tmp_path: Path) -> Encoding:
    return Encoding(model="MobileCLIP2-S0", pretrained="dfndr2b", cache_dir=str(tmp_path / "cache"))


def test_a_tag_is_downloaded_once(hub: ModelHub, settings: Encoding) -> None:
    assert weights_within_reach(settings).startswith("not here yet")
    assert [weights_file(settings).read_bytes() == CONTENT for _ in range(2)] == [True, True]
    assert hub.downloads == [(SAFE, "")]
    assert weights_within_reach(settings) == str(weights_file(settings))


def test_weights_in_the_older_format_are_taken_where_there_are_no_others(hub: ModelHub, settings: Encoding) -> None:
    hub.files = {PICKLED: CONTENT}
    assert weights_file(settings).name == "open_clip_pytorch_model.bin"


def test_a_download_that_breaks_off_goes_on_from_there(hub: ModelHub, settings: Encoding) -> None:
    hub.cuts = 1
    assert weights_file(settings).read_bytes() == CONTENT
    assert hub.downloads == [(SAFE, ""), (SAFE, f"bytes={2 * CHUNK_BYTES}-")]


def test_a_failed_download_says_so_and_leaves_nothing_that_counts(hub: ModelHub, settings: Encoding) -> None:
    hub.is_broken = True
    with pytest.raises(WeightsUnavailableError, match=rf"the download of {SAFE} failed: .*500"):
        weights_file(settings)
    assert (weights_within_reach(settings)[:12], len(hub.downloads)) == ("not here yet", 1)
    hub.is_broken = False
    assert weights_file(settings).read_bytes() == CONTENT


def test_what_a_killed_download_left_is_gone_on_with(hub: ModelHub, settings: Encoding) -> None:
    complete = weights_file(settings)
    blob = complete.resolve()
    complete.unlink()
    blob.rename(blob.with_name(f"{blob.name}.incomplete"))
    with blob.with_name(f"{blob.name}.incomplete").open("r+b") as file:
        file.truncate(100_000)
    assert weights_file(settings).read_bytes() == CONTENT
    assert hub.downloads[1:] in ([(SAFE, "bytes=100000-")], [(SAFE, "")])


def test_a_repository_that_is_not_there_is_named(hub: ModelHub, settings: Encoding) -> None:
    hub.files = {"timm/another/open_clip_model.safetensors": CONTENT}
    with pytest.raises(WeightsUnavailableError, match=f"has no repository '{REPOSITORY}'"):
        weights_file(settings)


def test_a_repository_that_asks_for_an_account_is_named(hub: ModelHub, settings: Encoding) -> None:
    hub.gated = frozenset({REPOSITORY})
    with pytest.raises(WeightsUnavailableError, match=rf"{REPOSITORY} asks for an account .*hf auth login"):
        weights_file(settings)


def test_a_repository_without_weights_says_which_files_were_looked_for(hub: ModelHub, settings: Encoding) -> None:
    hub.files = {f"{REPOSITORY}/README.md": b"#"}
    with pytest.raises(WeightsUnavailableError, match=r"no file open_clip_model\.safetensors or open_clip_pytorch"):
        weights_file(settings)


def test_a_filled_cache_needs_no_hub(settings: Encoding, hub: ModelHub, monkeypatch: pytest.MonkeyPatch) -> None:
    weights_file(settings)
    asked = len(hub.requests)
    for name, value in (("HF_HUB_OFFLINE", True), ("ENDPOINT", "http://127.0.0.1:9")):
        monkeypatch.setattr(constants, name, value)
        assert weights_file(settings).read_bytes() == CONTENT
    assert len(hub.requests) == asked


def test_offline_with_an_empty_cache_names_the_variable(
    hub: ModelHub, settings: Encoding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for ask in (weights_file, weights_within_reach):
        with pytest.raises(WeightsUnavailableError, match="HF_HUB_OFFLINE is set"):
            ask(settings)
    assert hub.requests == []


@pytest.mark.parametrize("surplus", [1, 2**40])
def test_a_file_that_goes_on_after_its_tensors_is_not_read_whole(tmp_path: Path, surplus: int) -> None:
    """A sparse file can claim terabytes, which nobody waits for."""
    path = tmp_path / "model.safetensors"
    header = b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    encoder = OpenClipEncoder(Encoding(model="ViT-B-32", checkpoint=str(path)))
    assert encoder.fingerprint
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size + surplus)
    with pytest.raises(WeightsUnavailableError, match=f"goes on for {surplus:,} bytes after its tensors"):
        _ = OpenClipEncoder(Encoding(model="ViT-B-32", checkpoint=str(path))).fingerprint


def test_an_archive_that_goes_on_after_its_entries_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", b"x")
    assert OpenClipEncoder(Encoding(model="ViT-B-32", checkpoint=str(path))).fingerprint
    with path.open("r+b") as file:
        file.truncate(2**40)
    with pytest.raises(WeightsUnavailableError, match="damaged archive"):
        _ = OpenClipEncoder(Encoding(model="ViT-B-32", checkpoint=str(path))).fingerprint
