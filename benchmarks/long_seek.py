"""Measure a jump to a moment of a two-hour film in a real browser: time to the frame, and bytes that are sent.

    python -m benchmarks.long_seek [--minutes 120] [--jumps 12] [--to benchmarks/results/long_seek.json]

Two films are made by joining a drawn minute 120 times without encoding it again: one whose index (`moov`) comes at the
end, as cameras write it, and one whose index comes first. A real server serves each, and Chromium plays it: the figures
are the milliseconds from setting `currentTime`, to a second that no jump was near before, until the event `seeked`,
when the frame of that second is there. Both processes run on the same machine and are warm: the first jump is left out.

`served_mebibytes` is what the server sends for the metadata and all jumps, against the size of the film. A browser
reads ahead of where it plays, so each jump costs some seconds of film; the film is never read as a whole.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np

from benchmarks.setting import rounded, write_result
from pipeline.client.client import Client
from pipeline.client.running_server import find_server
from pipeline.library import Library
from pipeline.run_config import load_run_config

__all__ = ["joined_film", "measure"]

OUTPUT = Path(__file__).parent / "results" / "long_seek.json"
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
_RATE, _SIZE = 15, (640, 360)
_START_SECONDS = 120
_OPEN = """(address) => new Promise((resolve) => {
  const video = document.createElement("video");
  video.muted = true;
  video.preload = "metadata";
  video.addEventListener("loadedmetadata", () => resolve(video.duration), { once: true });
  document.body.append(video);
  video.src = address;
})"""
_JUMP = """(seconds) => new Promise((resolve) => {
  const video = document.querySelector("video:last-of-type");
  const began = performance.now();
  video.addEventListener("seeked", () => resolve(performance.now() - began), { once: true });
  video.currentTime = seconds;
})"""


def _drawn_minute(path: Path) -> None:
    """Encode a minute of moving shapes and noise, with a keyframe every four seconds."""
    rng = np.random.default_rng(2026)
    width, height = _SIZE
    still = rng.integers(60, 190, (height // 8, width // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    with av.open(str(path), "w") as target:
        track = target.add_stream("libx264", rate=_RATE, options={"preset": "veryfast", "g": str(4 * _RATE)})
        track.width, track.height, track.pix_fmt = width, height, "yuv420p"
        for number in range(60 * _RATE):
            picture = np.roll(still, 3 * number, axis=1)
            picture[::4, ::4] ^= rng.integers(0, 32, picture[::4, ::4].shape, np.uint8)
            target.mux(track.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        target.mux(track.encode(None))


def joined_film(minute: Path, path: Path, times: int, *, is_index_first: bool) -> None:
    """Join a film to itself, without encoding it again.

    Args:
        minute: The film.
        path: The MP4 file to write.
        times: How often the film comes.
        is_index_first: Whether the index comes before the pictures (`faststart`).
    """
    options = {"movflags": "+faststart"} if is_index_first else {}
    with av.open(str(minute)) as source:
        video = source.streams.video[0]
        packets = [(bytes(packet), packet.pts, packet.dts, packet.is_keyframe) for packet in source.demux(video)][:-1]
        base = video.time_base
        assert base is not None
        length = round(Fraction(60) / base)
        with av.open(str(path), "w", options=options) as target:
            track = target.add_stream_from_template(video)
            for turn in range(times):
                for content, pts, dts, is_keyframe in packets:
                    packet = av.Packet(content)
                    packet.pts, packet.dts = (pts or 0) + turn * length, (dts or 0) + turn * length
                    packet.time_base, packet.is_keyframe, packet.stream = base, is_keyframe, track
                    target.mux(packet)


@contextmanager
def _served(library: Path) -> Iterator[str]:
    run = "import sys; from pipeline.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", run, "serve", "--library", str(library), "--port", "0", "--no-audit"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + _START_SECONDS
        while (server := find_server(library)) is None:
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit("the server does not start")
            time.sleep(0.1)
        yield server.address.rstrip("/")
    finally:
        process.terminate()
        process.wait(60)


def _jumps(address: str, seconds: list[float]) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    received: list[int] = [0]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=_ARGUMENTS)
        page = browser.new_page()
        network = page.context.new_cdp_session(page)
        network.send("Network.enable")
        network.on("Network.dataReceived", lambda event: received.__setitem__(0, received[0] + event["dataLength"]))
        page.goto(address.rpartition("/api/")[0] + "/healthz")
        began = time.monotonic()
        duration = page.evaluate(_OPEN, address)
        opened = 1000 * (time.monotonic() - began)
        times = []
        for second in seconds:
            times.append(page.evaluate(_JUMP, second))
            page.wait_for_timeout(300)
        browser.close()
    return {
        "film_seconds": duration,
        "open_milliseconds": opened,
        "median_milliseconds": median(times[1:]),
        "least_milliseconds": min(times[1:]),
        "most_milliseconds": max(times[1:]),
        "served_mebibytes": received[0] / 2**20,
    }


def measure(folder: Path, minutes: int, jumps: int) -> dict[str, Any]:
    """Make both films, serve them, and jump in them; return the figures by the place of the index."""
    minute = folder / "minute.mp4"
    _drawn_minute(minute)
    rng = np.random.default_rng(1)
    figures: dict[str, Any] = {}
    for name, is_index_first in (("index_at_the_end", False), ("index_first", True)):
        film = folder / f"{name}.mp4"
        joined_film(minute, film, minutes, is_index_first=is_index_first)
        library = folder / name
        settings = [
            f"library={library}",
            "execution.executor=in_process",
            "index.backend=memory",
            "sampling.cuts=null",
            "sampling.fps=0.02",
            "segmentation.strategy=fixed_windows",
        ]
        with Library.open(load_run_config("demo", settings)) as opened:
            list(opened.index([film]))
        with _served(library) as address, Client(address) as client:
            (video,) = client.videos()
            media = f"{address}/api/v1/videos/{video.video_id}/media"
            seconds = [float(second) for second in rng.permutation(np.linspace(60, 60 * minutes - 60, jumps + 1))]
            figures[name] = {
                "film_mebibytes": film.stat().st_size / 2**20,
                "load": os.getloadavg()[0],
                **_jumps(media, seconds),
            }
        print(json.dumps({name: figures[name]}), flush=True)
    return figures


def main() -> None:
    """Measure, print and save the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=120)
    parser.add_argument("--jumps", type=int, default=12)
    parser.add_argument("--to", type=Path, default=OUTPUT)
    given = parser.parse_args()
    with TemporaryDirectory() as work:
        result = rounded({"jumps": given.jumps, "films": measure(Path(work), given.minutes, given.jumps)}, 2)
    print(json.dumps(result, indent=2))
    write_result(given.to, "benchmarks.long_seek", result)


if __name__ == "__main__":
    main()
