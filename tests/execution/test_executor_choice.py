"""The executor that `execution.executor: auto` takes."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.execution import Execution
from pipeline.execution.executor_choice import EncodingLoad, choose_executor, decoding_seconds, without_sources
from pipeline.types import Source
from pipeline.video import Decoding, make_decoder

FILM = Path(__file__).parents[2] / "sample_videos/street-corner.mp4"
DECODER = make_decoder(Decoding())


class LongDecoder:
    """Opens a film as if it were longer."""

    name = "long"

    def __init__(self, times: float) -> None:
        self._times = times

    @contextmanager
    def open(self, path: str) -> Iterator[Any]:
        with DECODER.open(path) as stream:
            info = stream.info

        class Longer:
            pass

        longer = Longer()
        longer.info = replace(info, duration_seconds=self._times * info.duration_seconds)
        yield longer


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two processors, and no cluster."""
    monkeypatch.setattr("pipeline.execution.executor_choice.usable_processors", lambda: 2)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))


def _executor(count: int, decoder: Any = DECODER, **settings: Any) -> tuple[str, str]:
    choice = choose_executor(Execution(**settings), [Source(str(FILM))] * count, decoder)
    return choice.settings.executor, choice.reason


@pytest.mark.parametrize("count", [0, 1, 8])
def test_a_small_batch_runs_in_this_process(count: int) -> None:
    executor, reason = _executor(count)
    assert executor == "in_process"
    assert "Ray would have to be started for" in reason


@pytest.mark.parametrize(
    ("count", "times", "reason"),
    [
        (60, 1.0, "several videos are decoded at once"),
        (2, 30.0, "several videos are decoded at once"),
        (65, 1.0, "it has more than 64 videos"),
        (1, 400.0, "s of processor time"),
    ],
)
def test_a_larger_batch_runs_on_ray(count: int, times: float, reason: str) -> None:
    executor, said = _executor(count, LongDecoder(times))
    assert executor == "ray"
    assert reason in said


def test_one_video_runs_in_this_process_where_several_of_the_same_length_would_not() -> None:
    assert _executor(1, LongDecoder(50.0))[0] == "in_process"
    assert _executor(2, LongDecoder(25.0))[0] == "ray"


def _with_encoding(count: int, times: float, processor_seconds: float, *, rate: float = 1.0) -> tuple[str, str]:
    load = EncodingLoad(frames_per_second=rate, processor_seconds=processor_seconds)
    choice = choose_executor(Execution(), [Source(str(FILM))] * count, LongDecoder(times), encoding=load)
    return choice.settings.executor, choice.reason


def test_encoding_that_fills_the_processors_leaves_nothing_to_gain_on_ray() -> None:
    """Two videos of 15 minutes, which decode in some 15 s each."""
    assert _with_encoding(2, 30.0, 0.0)[0] == "ray"
    assert _with_encoding(2, 30.0, 0.001)[0] == "ray"
    executor, reason = _with_encoding(2, 30.0, 0.02)
    assert executor == "in_process"
    assert "s of decoding and 3" in reason
    assert _with_encoding(2, 30.0, 0.004, rate=5.0)[0] == "in_process"


@pytest.mark.parametrize(("processors", "executor"), [(1, "in_process"), (2, "in_process"), (8, "ray"), (64, "ray")])
def test_many_processors_decode_several_videos_beside_the_encoder(
    processors: int, executor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.execution.executor_choice.usable_processors", lambda: processors)
    assert _with_encoding(4, 15.0, 0.02)[0] == executor


def test_one_video_runs_in_this_process_however_long_its_encoding_takes() -> None:
    assert _with_encoding(1, 40.0, 1.0)[0] == "in_process"


def test_one_processor_decodes_nothing_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.execution.executor_choice.usable_processors", lambda: 1)
    assert _executor(60)[0] == "in_process"


@pytest.mark.parametrize("executor", ["ray", "in_process"])
def test_an_executor_that_is_named_is_taken(executor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    for choice in (
        choose_executor(Execution(executor=executor), [Source(str(FILM))], DECODER),
        without_sources(Execution(executor=executor), otherwise="ray"),
    ):
        assert (choice.settings.executor, choice.is_automatic) == (executor, False)


@pytest.mark.parametrize("setting", ["encoders", "videos_at_once"])
def test_settings_that_only_ray_has_ask_for_it(setting: str) -> None:
    assert _executor(1, **{setting: 2}) == ("ray", f"execution.{setting} is set")


def test_remote_videos_have_an_unknown_length() -> None:
    choice = choose_executor(Execution(), [Source("https://example.org/a.mp4")], DECODER)
    assert (choice.settings.executor, choice.reason) == ("ray", "the lengths of remote videos are unknown")


def test_videos_that_cannot_be_opened_cost_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    assert decoding_seconds(Source(str(broken)), DECODER) == 0.0
    assert decoding_seconds(Source(str(tmp_path / "missing.mp4")), DECODER) == 0.0
    # 31 s of 640 x 360 at 30 frames a second, as in a `file://` URI.
    assert 0.3 < decoding_seconds(Source(f"file://{FILM}"), DECODER) < 1.0


@pytest.mark.parametrize("how", ["setting", "variable"])
def test_a_named_cluster_is_used(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if how == "variable":
        monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    executor, reason = _executor(1, address="10.0.0.1:6379" if how == "setting" else None)
    assert (executor, "10.0.0.1:6379" in reason) == ("ray", True)


@pytest.fixture
def cluster_file(tmp_path: Path) -> Iterator[Path]:
    """What `ray start` writes, with the address of a socket that listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        path = tmp_path / "ray" / "ray_current_cluster"
        path.parent.mkdir()
        path.write_text(f"127.0.0.1:{server.getsockname()[1]}")
        yield path


def test_a_cluster_that_this_user_has_started_here_is_used(cluster_file: Path) -> None:
    choice = choose_executor(Execution(), [Source(str(FILM))], DECODER)
    assert (choice.settings.executor, choice.settings.address) == ("ray", cluster_file.read_text())
    assert "a cluster runs on this machine" in str(choice)


@pytest.mark.parametrize("content", ["127.0.0.1:1", "", "nonsense", "127.0.0.1:" + 300 * "9", "\xff:1"])
def test_a_cluster_that_does_not_answer_is_none(content: str, cluster_file: Path) -> None:
    cluster_file.write_text(content, encoding="latin-1")
    assert _executor(1)[0] == "in_process"


def test_neither_a_link_nor_a_pipe_names_a_cluster(cluster_file: Path) -> None:
    target = cluster_file.rename(cluster_file.with_name("elsewhere"))
    cluster_file.symlink_to(target)
    assert _executor(1)[0] == "in_process"
    cluster_file.unlink()
    os.mkfifo(cluster_file)
    assert _executor(1)[0] == "in_process"


@pytest.mark.root
def test_the_file_of_another_user_is_not_believed(cluster_file: Path) -> None:
    os.chown(cluster_file, 12345, 12345)
    assert _executor(1)[0] == "in_process"


def test_without_ray_every_batch_runs_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.execution.executor_choice.find_spec", lambda _name: None)
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert _executor(100) == ("in_process", "Ray is not installed")
