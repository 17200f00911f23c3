"""A received library names classes to import: nothing is imported before the library is trusted."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from contracts.word_world import WordModel, video

from pipeline import Library
from pipeline.cli import main
from pipeline.errors import ConfigError, MomentseekError, UntrustedLibraryError
from pipeline.index.rewrite import replace_rows
from pipeline.library.saved_config import read_library_file
from pipeline.library.trust import outside_settings, trusted_settings

MODULE = "received_canary"
COMMANDS = (
    ("videos",),
    ("search", "red"),
    ("index", "video.mp4", "--in-process"),
    ("index verify",),
    ("index rebuild",),
    ("remove", "park.mp4"),
    ("runs",),
    ("doctor",),
)


class NoExecutor:
    def run(self, sources: object) -> Iterator[Any]:
        yield from ()


@pytest.fixture(autouse=True)
def own_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))
    for name in ("MOMENTSEEK_MILVUS_URI", "MOMENTSEEK_LIBRARY", "MOMENTSEEK_DEBUG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file that exists once the module was imported, which is a whole sampler and encoder besides."""
    site, written = tmp_path / "site", tmp_path / "imported"
    package = site / MODULE
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        f"from pathlib import Path\nPath({str(written)!r}).touch()\n"
        "from plugin_examples import EveryNth as Base, MeanColour as Model\n"
        "class Sampler(Base): pass\nclass Encoder(Model): pass\n"
    )
    # The package that holds it writes the canary, too, and so does a plain attribute look-up in it.
    (package / "inner.py").write_text("from received_canary import Sampler, Encoder\n")
    info = site / "received-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: received\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[momentseek.samplers]\nforeign = {MODULE}:Sampler\n[momentseek.encoders]\nforeign = {MODULE}:Encoder\n"
    )
    monkeypatch.syspath_prepend(site)
    monkeypatch.setattr("pipeline.plugins.section._LOADED", {})
    yield written
    for name in [name for name in sys.modules if name.partition(".")[0] == MODULE]:
        del sys.modules[name]


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "library"
    with Library.open(str(folder), encoder=WordModel()) as opened:
        list(opened.index([], executor=NoExecutor()))
        record, frames = video("park", "red", "green")
        opened.store.write(record, frames)
        replace_rows(opened.moment_index(), record.video_id, opened.config.row_recipe.rows(frames, {}))
    return folder


def write_configuration(library: Path, *, without: tuple[str, ...] = (), **sections: Any) -> None:
    path = library / "library.yaml"
    content = yaml.safe_load(path.read_text())
    content["configuration"].update(sections)
    for name in without:
        del content[name]
    path.write_text(yaml.safe_dump(content))


SECTIONS: dict[str, dict[str, Any]] = {
    "sampler by path": {"sampling": {"strategy": f"{MODULE}:Sampler"}},
    "sampler in a module": {"sampling": {"strategy": f"{MODULE}.inner:Sampler"}},
    "sampler by name": {"sampling": {"strategy": "foreign"}},
    "sampler with settings": {"sampling": {"strategy": f"{MODULE}:Sampler", "every": 3}},
    "sampler with wrong settings": {"sampling": {"strategy": f"{MODULE}:Sampler", "evry": {"a": [1]}}},
    "no such class": {"sampling": {"strategy": f"{MODULE}:Nothing"}},
    "part of a composite": {
        "sampling": {
            "strategy": "composite",
            "parts": [{"strategy": "keyframe"}, {"strategy": f"{MODULE}:Sampler"}],
        }
    },
    "named part of a composite": {
        "sampling": {"strategy": "composite", "parts": [{"strategy": "foreign"}, {"strategy": "keyframe"}]}
    },
    "encoder by path": {"encoder": {"class": f"{MODULE}:Encoder"}},
    "encoder by name": {"encoder": {"class": "foreign"}},
    "encoder with settings": {"encoder": {"class": f"{MODULE}:Encoder", "checkpoint": "/etc/passwd"}},
    "both": {"sampling": {"strategy": "foreign"}, "encoder": {"class": f"{MODULE}:Encoder"}},
}
USABLE = [name for name in SECTIONS if name not in ("sampler with wrong settings", "no such class")]


@pytest.mark.parametrize("sections", SECTIONS)
def test_reading_a_library_imports_nothing(library, canary, sections):
    write_configuration(library, **SECTIONS[sections])
    found = read_library_file(str(library))
    assert found is not None
    assert outside_settings(found.config)
    assert repr(found)
    assert found.config == read_library_file(str(library)).config
    with pytest.raises(UntrustedLibraryError, match="momentseek trust"):
        Library.open(str(library), encoder=WordModel())
    with pytest.raises(UntrustedLibraryError, match="momentseek trust"):
        Library.open(str(library))
    assert not canary.exists()


@pytest.mark.parametrize("sections", ["sampler by path", "sampler by name", "part of a composite", "encoder by path"])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_imports_what_a_library_names(library, canary, command, sections, capsys):
    write_configuration(library, **SECTIONS[sections])
    # The doctor goes on to what else there is to check, and ends as with any problem.
    assert main([*command[0].split(), *command[1:], "--library", str(library)]) == (1 if command == ("doctor",) else 2)
    told = capsys.readouterr()
    assert f"momentseek trust {library}" in told.out + told.err
    assert not canary.exists()


@pytest.mark.parametrize("sections", USABLE)
def test_trusting_a_library_shows_what_it_names_and_imports_nothing(library, canary, sections, capsys):
    write_configuration(library, **SECTIONS[sections])
    assert main(["trust", str(library)]) == 0
    shown = capsys.readouterr().out
    assert MODULE in shown or "foreign" in shown
    assert main(["trust", "--list"]) == 0
    assert main(["trust", "--revoke", str(library)]) == 0
    with pytest.raises(UntrustedLibraryError):
        Library.open(str(library))
    assert not canary.exists()


def test_a_library_without_a_fingerprint_imports_nothing(library, canary, capsys):
    """Older files have none, and it was computed from the configuration then."""
    write_configuration(library, without=("sampling_fingerprint",), **SECTIONS["sampler by path"])
    assert main(["videos", "--library", str(library)]) == 1
    assert "is broken" in capsys.readouterr().err
    assert not canary.exists()


def test_a_trusted_library_imports_what_it_names(library, canary):
    write_configuration(library, **SECTIONS["sampler with settings"])
    main(["trust", str(library)])
    with pytest.raises(ConfigError, match="other than the installed one"):
        # Its videos were sampled by fixed_rate: only now is it known.
        Library.open(str(library), encoder=WordModel())
    assert canary.exists()


CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "a setting": lambda sampling: sampling.update(every=4),
    "another setting": lambda sampling: sampling.update(path="/etc/passwd"),
    "the class": lambda sampling: sampling.update(strategy=f"{MODULE}.inner:Sampler"),
    "the name": lambda sampling: sampling.update(strategy="foreign"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_trust_holds_for_one_class_and_its_settings(library, canary, change):
    sampling = {"strategy": f"{MODULE}:Sampler", "every": 3}
    write_configuration(library, sampling=sampling)
    assert main(["trust", str(library)]) == 0
    CHANGES[change](sampling)
    write_configuration(library, sampling=sampling)
    with pytest.raises(UntrustedLibraryError):
        Library.open(str(library), encoder=WordModel())
    assert not canary.exists()


@pytest.mark.parametrize("name", ["search.top=3", "sampling.every=9", "encoder.side=9", "index.backend=memory"])
def test_overrides_of_other_settings_trust_no_class(library, canary, name):
    write_configuration(library, sampling={"strategy": f"{MODULE}:Sampler"}, encoder={"class": f"{MODULE}:Encoder"})
    with pytest.raises(UntrustedLibraryError):
        Library.open(str(library), overrides=[name])
    assert not canary.exists()


def test_a_configuration_of_ones_own_does_not_import_the_librarys_class(library, canary, tmp_path, capsys):
    write_configuration(library, **SECTIONS["sampler by path"])
    mine = tmp_path / "mine.yaml"
    mine.write_text("sampling: {strategy: keyframe}\nindex: {backend: memory}\n")
    main(["videos", "--config", str(mine), "--library", str(library)])
    main(["search", "red", "--config", str(mine), "--library", str(library)])
    main(["search", "red", "--set", "sampling.strategy=keyframe", "--library", str(library)])
    assert not canary.exists()


@pytest.mark.parametrize(
    "reference",
    [
        "os:system",
        "..up:Thing",
        "a b:c",
        "a:b:c",
        ":x",
        "x:",
        "https://host/x:y",
        "x" * 10_000 + ":y",
        "é:ü\u202e",
        "a:\x1b[2J",
        "a\n:b",
    ],
)
def test_odd_names_import_nothing_and_are_shown_safely(library, canary, reference, capsys):
    write_configuration(library, sampling={"strategy": reference})
    before = set(sys.modules)
    assert main(["videos", "--library", str(library)]) == 2
    told = capsys.readouterr()
    assert "\x1b" not in told.err
    assert "\u202e" not in told.err
    assert len(told.err) < 2000
    assert "Traceback" not in told.err
    assert not {name for name in set(sys.modules) - before if not name.startswith(("pipeline", "encodings"))} & {MODULE}


@pytest.mark.parametrize("name", ["a b", "a.b", "\x1b[2J", "strategy.x", "", "x" * 5000])
def test_odd_names_of_settings_are_refused(library, canary, name, capsys):
    write_configuration(library, sampling={"strategy": f"{MODULE}:Sampler", name: 1})
    assert main(["videos", "--library", str(library)]) == 2
    assert "\x1b" not in capsys.readouterr().err
    assert not canary.exists()


def test_a_library_of_ones_own_opens_after_it_moved(tmp_path, canary):
    """Its classes are trusted when momentseek writes them for this user."""
    settings = [f"sampling.strategy={MODULE}:Sampler", f"encoder.class={MODULE}:Encoder"]
    with Library.open(str(tmp_path / "own"), overrides=settings) as opened:
        list(opened.index([], executor=NoExecutor()))
    moved = shutil.move(tmp_path / "own", tmp_path / "moved")
    Library.open(str(moved)).close()
    [trusted] = trusted_settings()
    assert set(trusted.settings) >= {"sampling.strategy", "sampling.every", "encoder.class", "encoder.side"}


def test_a_module_in_the_library_or_beside_it_is_not_found(library, tmp_path):
    """Neither the library's folder nor the working directory is searched for modules by the command."""
    for folder in (library, tmp_path):
        (folder / "planted.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w')\n")
    write_configuration(library, sampling={"strategy": "planted:Sampler"})
    main(["trust", str(library)])
    command = Path(sys.executable).with_name("momentseek")
    for where in (library, tmp_path):
        done = subprocess.run(
            [command, "videos", "--library", str(library)], cwd=where, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2, done.stderr
        assert "planted" in done.stderr
    assert not (tmp_path / "imported").exists()


def test_errors_are_momentseeks_own(library, canary):
    write_configuration(library, **SECTIONS["no such class"])
    main(["trust", str(library)])
    with pytest.raises(MomentseekError, match="has no 'Nothing'"):
        Library.open(str(library))
