"""The peer clip-video-encode: an environment of its own, and a process in it that embeds one video after another.

    python -m benchmarks.clip_video_encode --set-up build/clip-video-encode
    python -m benchmarks.pipeline VIDEO... --peer build/clip-video-encode

Its declared dependencies cannot be installed under Python 3.11 (README.md says which), so it is installed without them
and shares the project's torch, open_clip, OpenCV and pyarrow. Its code is used as it is, by its own function, with its
own constants. The clock runs from the moment at which it begins to read until it has written its result: starting its
process, loading its model, which it does for each call, and reserving its shared memory do not count. It gives frames
to the network with red and blue exchanged, as OpenCV reads them, so its embeddings differ from those of the others.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import select
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from pipeline.encode import Encoding

__all__ = ["Peer", "set_up"]

PACKAGES = (
    "clip-video-encode==1.3.0",
    "video2numpy==2.3.0",
    "webdataset==1.0.2",
    "braceexpand==0.1.7",
    "youtube-dl==2021.12.17",
)
# Its own default is 4 GB of shared memory, which it fills with zeros before the clock starts.
_FRAME_MEMORY_GB = 1
_PATIENCE_SECONDS = 3600


def set_up(folder: Path) -> None:
    """Make the environment: the peer without its pinned dependencies, over the packages of this interpreter."""
    venv.create(folder, with_pip=True, clear=True)
    subprocess.run([folder / "bin" / "pip", "install", "--quiet", "--no-deps", *PACKAGES], check=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    (site / "project.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")


class Peer:
    """A process of clip-video-encode that waits for videos.

    Args:
        environment: What `set_up` made.
    """

    def __init__(self, environment: Path) -> None:
        python = environment / "bin" / "python"
        if not python.exists():
            raise FileNotFoundError(f"{environment}: no environment; make it by --set-up {environment}")
        self._folder = tempfile.TemporaryDirectory()
        self._process = subprocess.Popen(
            [str(python.absolute()), "-m", "benchmarks.clip_video_encode", "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent.parent,
        )

    def embedded(self, path: str, *, every: int, encoding: Encoding) -> tuple[float, npt.NDArray[np.float32]]:
        """Seconds, and float32 (N, D) embeddings, not normalised, of every so manieth frame of a video."""
        request = {
            "video": str(Path(path).absolute()),
            "every": every,
            "model": encoding.model,
            "architecture": encoding.architecture,
            "checkpoint": encoding.checkpoint,
            "folder": self._folder.name,
        }
        answer = self._asked(json.dumps(request))
        return float(answer["seconds"]), np.load(answer["vectors"]).astype(np.float32)

    def _asked(self, request: str) -> Any:
        asking, answering = self._process.stdin, self._process.stdout
        if asking is None or answering is None:
            raise RuntimeError("the peer has no pipes")
        asking.write(request + "\n")
        asking.flush()
        ready, _, _ = select.select([answering], [], [], _PATIENCE_SECONDS)
        line = answering.readline() if ready else ""
        if not line:
            raise RuntimeError("clip-video-encode died or hangs; its own words are above")
        return json.loads(line)

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()


def serve() -> None:
    """Embed the videos named by lines of standard input; an answer is a line of standard output."""
    with os.fdopen(os.dup(1), "w") as answers:
        # What the peer prints goes elsewhere.
        os.dup2(2, 1)
        for line in sys.stdin:
            answers.write(json.dumps(_served(json.loads(line))) + "\n")
            answers.flush()


def _served(request: dict[str, Any]) -> dict[str, Any]:
    open_clip = importlib.import_module("open_clip")
    peer = importlib.import_module("clip_video_encode")
    reader = importlib.import_module("video2numpy.frame_reader").FrameReader
    if request["model"] not in open_clip.list_models():
        open_clip.add_model_config(Path(request["architecture"]))
    starts: list[float] = []
    start_reading = reader.start_reading

    def started(self: Any) -> None:
        starts.append(time.perf_counter())
        start_reading(self)

    reader.start_reading = started
    try:
        peer.clip_video_encode(
            request["video"],
            request["folder"],
            take_every_nth=request["every"],
            frame_memory_size=_FRAME_MEMORY_GB,
            oc_model_name=request["model"],
            pretrained=request["checkpoint"],
        )
    finally:
        reader.start_reading = start_reading
    seconds = time.perf_counter() - starts[0]
    return {"seconds": seconds, "vectors": str(Path(request["folder"]) / "0.npy")}


def main() -> None:
    """Make the environment, or serve in it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--set-up", type=Path, metavar="DIR", help="make the environment")
    what.add_argument("--serve", action="store_true", help="what the process in the environment does")
    arguments = parser.parse_args()
    if arguments.serve:
        serve()
    else:
        set_up(arguments.set_up)


if __name__ == "__main__":
    main()
