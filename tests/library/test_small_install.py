"""The base installation, without extras: what it can do, what it says it cannot, and its size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contracts.word_world import video
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tiny_model import make_tiny_model

from pipeline import Library
from pipeline.config import validate
from pipeline.errors import MissingPackageError
from pipeline.optional_packages import EXTRAS, missing_package, require
from pipeline.run_config import RunConfig
from pipeline.video import content_id

PROJECT = Path(__file__).parents[2]
META = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# The limit, in bytes.
MAX_BYTES = 500_000_000
FOOTAGE = PROJECT / "sample_videos/snow-and-site.mp4"
VIDEO_ID = content_id(str(FOOTAGE))


def closure(requirements: Iterable[str]) -> set[str]:
    """Names of the distributions that pip installs for these requirements on this machine."""
    waiting, found = list(requirements), set()
    while waiting:
        requirement = Requirement(waiting.pop())
        name = canonicalize_name(requirement.name)
        if name in found or not (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            continue
        try:
            needed = distribution(name).requires or []
        except PackageNotFoundError:
            continue
        found.add(name)
        waiting += needed
        for extra in requirement.extras:
            waiting += [one.partition(";")[0] for one in needed if f'extra == "{extra}"' in one]
    return found


BASE = closure(META["dependencies"])
OTHERS = sorted(
    module
    for module, owners in packages_distributions().items()
    if not {canonicalize_name(owner) for owner in owners} & (BASE | {"momentseek"})
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library in Milvus Lite with its exported text tower; it was made with all packages."""
    folder = tmp_path_factory.mktemp("small")
    encoder = {"model": "tiny", **make_tiny_model(folder)}
    config = validate(RunConfig, {"library": str(folder / "library"), "encoder": encoder})
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(40, 24)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with Library.open(config) as made:
        record, frames = video(VIDEO_ID, *["red"] * 10)
        made.store.write(replace(record, names=(str(FOOTAGE),)), replace(frames, vectors=vectors))
        made.rebuild_index()
        made.search("a red car", min_score=0)
    _run(["trust", str(folder / "library")], folder)
    return folder / "library"


def _run(arguments: list[str], folder: Path, absent: Iterable[str] = ()) -> subprocess.CompletedProcess[str]:
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({list(absent)!r}))\n"
        "from pipeline.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env={**os.environ, "XDG_CONFIG_HOME": str(folder / "config"), "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )


def _of_base(library: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return _run([*arguments, "--library", str(library)], library.parent, OTHERS)


def test_the_heavy_packages_are_extras() -> None:
    assert {"torch", "ray", "av", "cv2", "open_clip", "sklearn", "onnx", "scenedetect", "mcp", "fastapi"} <= set(OTHERS)
    assert not {"numpy", "pyarrow", "pymilvus", "milvus_lite", "onnxruntime", "ftfy", "regex"} & set(OTHERS)
    # The modules' names are those of distributions in pyproject.toml, or of what these require.
    owners = packages_distributions()
    for extra, modules in EXTRAS.items():
        inside = closure(META["optional-dependencies"][extra])
        for module in modules:
            names = {canonicalize_name(name) for name in owners.get(module, ())}
            assert not names or names & inside, (extra, module)
    assert META["optional-dependencies"]["search"] == []
    assert Requirement(*META["optional-dependencies"]["all"]).extras == {"analysis", "index", "mcp", "serve"}


def test_its_packages_take_less_than_half_a_gigabyte() -> None:
    files = {name: distribution(name).files or [] for name in BASE}
    sizes = {name: sum(file.size or 0 for file in found) for name, found in files.items()}
    assert sizes["pyarrow"] > 50_000_000, "this environment's records have no sizes"
    assert sum(sizes.values()) < MAX_BYTES, sorted(sizes.items(), key=lambda item: -item[1])[:8]


def test_it_answers_questions_and_lists_a_library(library: Path) -> None:
    fresh = _of_base(library, "search", "two dogs run", "--min-score", "0", "--json")
    assert (fresh.returncode, fresh.stderr) == (0, "")
    moment = json.loads(fresh.stdout.splitlines()[0])
    assert moment["video_id"] == VIDEO_ID
    like = _of_base(library, "search", "--like", f"{VIDEO_ID}@2", "--min-score", "0", "--json")
    assert (like.returncode, like.stderr, bool(like.stdout)) == (0, "", True)
    for command, said in (("videos", "1 video"), ("runs", "0 runs"), ("index verify", "no differences")):
        done = _of_base(library, *command.split())
        assert (done.returncode, said in done.stdout + done.stderr) == (0, True), done


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["search", "--image", str(PROJECT / "docs/images/map.png")], "index"),
        (["search", "a red car", "--min-score", "0", "--clips", "clips"], "index"),
        (["index", str(FOOTAGE)], "index"),
        (["index", str(FOOTAGE), "--set", "execution.executor=in_process"], "index"),
        (["map"], "analysis"),
        (["mcp"], "mcp"),
    ],
)
def test_it_names_the_extra_for_what_it_cannot_do(library: Path, arguments: list[str], extra: str) -> None:
    done = _of_base(library, *arguments)
    assert done.returncode == 1, done
    assert f"pip install 'momentseek[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert "bug" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["submit", "demo", str(FOOTAGE), "--address", "http://127.0.0.1:1"],
        ["cuts", str(FOOTAGE)],
        ["experiment", "prompts", "--work", "work"],
        ["jobs", "list", "--address", "http://127.0.0.1:1"],
    ],
)
def test_other_commands_name_it_as_well(tmp_path: Path, arguments: list[str]) -> None:
    done = _run(arguments, tmp_path, OTHERS)
    assert done.returncode in (1, 2)
    assert "pip install 'momentseek[index]'" in done.stderr, done
    assert "Traceback" not in done.stderr


def test_doctor_tells_an_absent_extra_from_a_fault(library: Path) -> None:
    done = _of_base(library, "doctor", "--json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, [one for one in found if one["state"] == "broken"]) == (0, [])
    remedies = {one["what"]: one["remedy"] for one in found}
    assert {remedies[what] for what in ("processor", "decoder", "ray")} == {"pip install 'momentseek[index]'"}
    (tower,) = [one for one in found if one["what"] == "text tower"]
    assert (tower["state"], "exported" in tower["said"]) == ("ok", True)


def test_a_package_is_looked_up_without_importing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    require("reading numbers", "numpy")
    monkeypatch.setitem(sys.modules, "skia", None)
    with pytest.raises(MissingPackageError, match=r"drawing needs the package skia.*momentseek\[world\]"):
        require("drawing", "skia")


def test_an_import_that_fails_otherwise_is_no_missing_extra() -> None:
    found: list[Any] = [
        missing_package(error)
        for error in (
            ModuleNotFoundError("no", name="pipeline.nothing"),
            ModuleNotFoundError("no"),
            ImportError("a broken library", name="av"),
            ValueError("av"),
        )
    ]
    assert found == [None] * 4
    assert isinstance(missing_package(ModuleNotFoundError("no", name="av.container")), MissingPackageError)
