"""The wheel holds all that an installed momentseek needs: it is built, installed and run away from the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from email.parser import Parser
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
FILMS = PROJECT / "sample_videos"
PACKAGES = ("pipeline", "jobs", "sample_videos")
# What `momentseek` may read of the checkout: packages that other projects have installed into its environment.
SITE_PACKAGES = [path for path in sys.path if path.endswith("site-packages")]
WATCHING = """
import os, sys

def watch(event, arguments):
    if event not in ("open", "os.listdir", "os.scandir") or not isinstance(arguments[0], (str, bytes, os.PathLike)):
        return
    path = os.path.realpath(os.fsdecode(arguments[0]))
    if (path + "/").startswith({checkout!r} + "/") and not (path + "/").startswith({allowed!r}):
        with open({log!r}, "a") as log:
            log.write(f"{{event}} {{path}}\\n")

sys.addaudithook(watch)
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


def run_quietly(*command: object, **options: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def built(source: Path, target: Path) -> Path:
    """Build a wheel with the backend that is installed here; nothing is downloaded."""
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir", target)
    run_quietly(sys.executable, "-m", "pip", "wheel", *options, source)
    (wheel,) = target.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(PROJECT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def momentseek(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The installed command, run in a folder of its own; it fails where anything of the checkout is read.

    The environment is fresh, but for other projects' packages: it finds those of the running one, without the editable
    install of momentseek, since a folder that a .pth file names has its own .pth files ignored.
    """
    folder = tmp_path_factory.mktemp("installed")
    run_quietly(sys.executable, "-m", "venv", "--without-pip", folder / "venv")
    python = folder / "venv" / "bin" / "python"
    run_quietly(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", "--quiet", wheel)
    (own,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (own / "packages.pth").write_text("\n".join(SITE_PACKAGES))
    allowed = tuple(f"{os.path.realpath(path)}/" for path in SITE_PACKAGES)
    log = folder / "read-of-the-checkout"
    watching = WATCHING.format(checkout=os.path.realpath(PROJECT), allowed=allowed, log=str(log))
    (own / "sitecustomize.py").write_text(watching)
    hidden = ("PYTHONPATH", "MOMENTSEEK_LIBRARY", "MOMENTSEEK_DEBUG")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}

    def run(*arguments: object, program: str = "momentseek", code: int = 0) -> subprocess.CompletedProcess[str]:
        command = [str(python.parent / program), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)
        read = log.read_text() if log.exists() else ""
        log.unlink(missing_ok=True)
        assert (done.returncode, read) == (code, ""), done.stdout + done.stderr
        return done

    return run


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def files(folder: str) -> set[str]:
    found = (path for path in (PROJECT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(PROJECT)) for path in found}


def test_the_wheel_holds_the_packages_and_the_configurations(wheel: Path) -> None:
    expected = {name for package in PACKAGES for name in files(package)} | {
        f"pipeline/{name}" for name in files("configs")
    }
    assert names(wheel) == expected
    assert {"pipeline/py.typed", "pipeline/configs/experiments/sampling.yaml"} <= expected
    assert {
        f"sample_videos/{film.name}" for film in FILMS.iterdir() if film.suffix in (".mp4", ".mkv", ".webm")
    } <= expected


def test_the_metadata_is_the_projects(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (folder,) = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        metadata = Parser().parsestr(archive.read(f"{folder}/METADATA").decode())
        assert archive.read(f"{folder}/licenses/LICENSE") == (PROJECT / "LICENSE").read_bytes()
        assert b"momentseek = pipeline.cli:main" in archive.read(f"{folder}/entry_points.txt")
    assert (metadata["Name"], metadata["License-Expression"]) == ("momentseek", "Apache-2.0")
    extras = {"all", "search", "index", "analysis", "s3", "gs", "world", "siglip", "testing"}
    assert extras <= set(metadata.get_all("Provides-Extra") or ())
    requirements = metadata.get_all("Requires-Dist") or ()
    assert {"open-clip-torch<4,>=3.3; extra == 'index'", "open-clip-torch<4,>=3.3; extra == 'all'"} <= set(requirements)
    assert not [text for text in requirements if text.startswith(("torch", "ray")) and "extra ==" not in text]
    assert metadata.get_payload() == (PROJECT / "README.md").read_text()


def test_the_source_distribution_gives_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    run_quietly(sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", tmp_path, cwd=PROJECT)
    (archive,) = tmp_path.glob("*.tar.gz")
    assert names(built(archive, tmp_path / "wheel")) == names(wheel)
    listed = run_quietly("tar", "--list", "--file", archive).stdout.splitlines()
    inside = {name.partition("/")[2] for name in listed}
    assert {
        "Makefile",
        "requirements.lock",
        "LICENSE",
        "docs/how-to/milvus.md",
        "benchmarks/README.md",
        "tests/test_wheel.py",
    } <= inside


def test_the_installed_packages_are_the_wheels(momentseek: Run) -> None:
    code = f"import sys, {', '.join(PACKAGES)}; print(*sys.path, *(sys.modules[name].__file__ for name in {PACKAGES}))"
    said = momentseek("-c", code, program="python").stdout.split()
    assert len(said) > len(PACKAGES)
    assert [path for path in said if path.startswith(str(PROJECT)) and path not in SITE_PACKAGES] == []


def test_what_reads_the_checkout_is_found_out(momentseek: Run) -> None:
    with pytest.raises(AssertionError, match=r"open .*README\.md"):
        momentseek("-c", f"open({str(PROJECT / 'README.md')!r})", program="python")


@pytest.mark.parametrize("package", ["benchmarks", "tests", "configs"])
def test_what_belongs_to_the_checkout_stays_there(momentseek: Run, package: str) -> None:
    code = f"import importlib.util; print(importlib.util.find_spec({package!r}))"
    assert momentseek("-c", code, program="python").stdout.strip() == "None"


def test_bundled_configurations_are_found_by_name(momentseek: Run) -> None:
    shown = momentseek("config", "show", "-c", "demo").stdout
    assert "model: momentseek-demo" in shown
    assert "one of: default, demo" in momentseek("config", "show", "-c", "none", code=2).stderr


def test_a_batch_for_a_cluster_takes_the_installed_code_and_the_demo_model(momentseek: Run) -> None:
    code = """if True:
        from pathlib import Path
        from pipeline.submission.bundle import JobBatch
        from pipeline.submission.model_files import job_model
        from pipeline.run_config import load_run_config, with_absolute_paths
        model = job_model(with_absolute_paths(load_run_config("demo")).encoder, "/library")
        batch = JobBatch(config_yaml="", identity={}, library="", sources=(), version="0", model=model.sent)
        print(*(Path(place, "__init__.py").is_file() for place in batch.runtime_env("")["py_modules"]), *batch.sizes())
    """
    said = momentseek("-c", code, program="python").stdout.split()
    assert said[:2] == ["True", "True"]
    assert {Path(name).name for name in said} >= {"open_clip_config.json", "open_clip_model.safetensors"}


@pytest.mark.slow
def test_an_installed_momentseek_finds_all_well(momentseek: Run) -> None:
    momentseek("doctor", "-c", "demo")


@pytest.mark.slow
@pytest.mark.ray
def test_the_demo_runs_anywhere(momentseek: Run) -> None:
    said = momentseek("demo").stdout
    folder = Path(momentseek("-c", "import os; print(os.getcwd())", program="python").stdout.strip(), "momentseek-demo")
    assert len(list(folder.glob("*.png"))) == 5
    assert "search --library momentseek-demo/library" in said


@pytest.mark.slow
def test_an_experiment_is_found_by_name_with_its_films_and_labels(momentseek: Run) -> None:
    quick = ("execution.executor=in_process", "sampling.strategy=keyframe", "segmentation.strategy=fixed_windows")
    settings = [word for setting in quick for word in ("--set", setting)]
    said = momentseek("experiment", "prompts", "--only", "the text alone", "--json", *settings).stdout
    assert [variant["name"] for variant in json.loads(said)["variants"]] == ["the text alone"]
