"""A received library is attacked with: its configuration names servers, secrets and files of somebody else's choice."""

from __future__ import annotations

import json
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from contracts.word_world import WordModel, video

from pipeline import Library
from pipeline.cli import main
from pipeline.errors import ConfigError, StoreError, UntrustedLibraryError
from pipeline.index.rewrite import replace_rows
from pipeline.library.trust import trust_folder, trusted_settings

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


@pytest.fixture(autouse=True)
def own_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration folder of this test's own, and no variable that names a server."""
    folder = tmp_path / "home" / ".config"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    for name in ("MOMENTSEEK_MILVUS_URI", "MOMENTSEEK_LIBRARY", "MOMENTSEEK_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A library of one video, which names nothing outside itself."""
    folder = tmp_path / "library"
    with Library.open(str(folder), overrides=["segmentation.strategy=shots"], encoder=WordModel()) as opened:
        list(opened.index([], executor=NoExecutor()))
        record, frames = video("park", "red", "green")
        opened.store.write(record, frames)
        replace_rows(opened.moment_index(), record.video_id, opened.config.row_recipe.rows(frames, {}))
    return folder


class NoExecutor:
    def run(self, sources: object) -> Iterator[Any]:
        yield from ()


def name_outside(library: Path, **sections: Any) -> None:
    """Change a library's file as whoever hands the library on could."""
    path = library / "library.yaml"
    content = yaml.safe_load(path.read_text())
    for section, values in sections.items():
        content["configuration"].setdefault(section, {}).update(values)
    path.write_text(yaml.safe_dump(content))


@pytest.fixture
def listener() -> Iterator[tuple[str, list[bytes]]]:
    """A server's URI, and what it is sent."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        stop = threading.Event()

        def listen() -> None:
            while not stop.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(1)
                    heard.append(b"connected")
                    with suppress(OSError):
                        heard.append(connection.recv(4096))

        thread = threading.Thread(target=listen)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", heard
        stop.set()
        thread.join()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_received_library_sends_nothing(library, listener, command, monkeypatch, capsys):
    uri, heard = listener
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    name_outside(library, index={"uri": uri, "token_variable": "AWS_SECRET_ACCESS_KEY"})
    words = command[0].split() + list(command[1:])
    code = main([*words, "--library", str(library)])
    told = capsys.readouterr()
    # The doctor goes on to what else there is to check, and ends as with any problem.
    assert code == (1 if command == ("doctor",) else 2)
    assert f"momentseek trust {library}" in told.out + told.err
    assert "index.uri" in told.out + told.err
    assert "hunter2" not in told.out + told.err
    assert not heard


OUTSIDE: dict[str, Callable[[Path], dict[str, Any]]] = {
    "server": lambda _: {"index": {"uri": "http://192.0.2.1:19530"}},
    "token variable": lambda _: {"index": {"token_variable": "HOME"}},
    "collection": lambda _: {"index": {"collection": "of_another"}},
    "index elsewhere": lambda folder: {"index": {"uri": str(folder / "elsewhere")}},
    "index by dots": lambda folder: {"index": {"uri": str(folder / "library" / ".." / "elsewhere")}},
    "cache": lambda folder: {"encoder": {"cache_dir": str(folder / "elsewhere")}},
    "checkpoint": lambda folder: {"encoder": {"checkpoint": str(folder / "elsewhere" / "weights.pt")}},
    "checkpoint by dots": lambda _: {"encoder": {"checkpoint": "../elsewhere/weights.pt"}},
    "architecture": lambda folder: {
        "encoder": {
            "checkpoint": str(folder / "elsewhere" / "weights.pt"),
            "architecture": str(folder / "elsewhere" / "network.json"),
        }
    },
    "labels elsewhere": lambda folder: {"analyze": {"labels": str(folder / "elsewhere" / "labels.yaml")}},
    "labels of its own, which may name examples anywhere": lambda _: {"analyze": {"labels": "labels.yaml"}},
    "spool": lambda folder: {"fetching": {"spool_folder": str(folder / "elsewhere")}},
    "spool bytes": lambda _: {"fetching": {"spool_bytes": 10**15}},
}


@pytest.mark.parametrize("names", OUTSIDE)
def test_what_reaches_outside_is_refused_until_it_is_trusted(library, tmp_path, names):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "weights.pt").write_bytes(b"weights")
    name_outside(library, **OUTSIDE[names](tmp_path))
    with pytest.raises(UntrustedLibraryError, match="momentseek trust"):
        Library.open(str(library), encoder=WordModel())
    assert main(["trust", str(library)]) == 0
    Library.open(str(library), encoder=WordModel()).close()
    assert main(["trust", "--revoke", str(library)]) == 0
    with pytest.raises(UntrustedLibraryError):
        Library.open(str(library), encoder=WordModel())


def test_a_model_that_is_a_link_is_no_model_of_the_library(library, tmp_path):
    (tmp_path / "weights.pt").write_bytes(b"weights")
    (library / "link.pt").symlink_to(tmp_path / "weights.pt")
    name_outside(library, encoder={"checkpoint": "link.pt"})
    with pytest.raises(StoreError, match="link"):
        Library.open(str(library), encoder=WordModel())


def test_trust_holds_for_the_settings_that_were_shown(library, tmp_path):
    name_outside(library, index={"uri": "http://192.0.2.1:19530"})
    assert main(["trust", str(library)]) == 0
    name_outside(library, index={"token_variable": "AWS_SECRET_ACCESS_KEY"})
    with pytest.raises(UntrustedLibraryError, match="AWS_SECRET_ACCESS_KEY"):
        Library.open(str(library), encoder=WordModel())


def test_a_trusted_library_may_move(library, tmp_path):
    name_outside(library, index={"uri": "http://192.0.2.1:19530"})
    assert main(["trust", str(library)]) == 0
    moved = shutil.move(library, tmp_path / "moved")
    Library.open(str(moved), encoder=WordModel()).close()


def test_what_the_user_sets_needs_no_trust(library, tmp_path):
    name_outside(library, index={"uri": "http://192.0.2.1:19530"})
    mine = str(tmp_path / "mine")
    with Library.open(str(library), overrides=[f"index.uri={mine}"], encoder=WordModel()) as opened:
        assert opened.config.index.uri == mine
    Library.open(str(library), overrides=["index={uri: null}"], encoder=WordModel()).close()
    Library.open(str(library), overrides=["index.backend=memory"], encoder=WordModel()).close()


def test_a_token_of_the_library_does_not_go_to_a_server_of_the_user(library):
    name_outside(library, index={"token_variable": "AWS_SECRET_ACCESS_KEY"})
    with pytest.raises(UntrustedLibraryError, match="token_variable"):
        Library.open(str(library), overrides=["index.uri=http://127.0.0.1:1"], encoder=WordModel())


def test_a_token_of_the_user_does_not_go_to_a_server_of_the_library(library):
    name_outside(library, index={"uri": "http://192.0.2.1:19530"})
    with pytest.raises(UntrustedLibraryError, match=r"192\.0\.2\.1"):
        Library.open(str(library), overrides=["index.token_variable=MINE"], encoder=WordModel())


def test_a_library_of_ones_own_opens_as_before(tmp_path):
    folder = tmp_path / "own"
    settings = [f"index.uri={tmp_path / 'index of mine'}", "fetching.timeout_seconds=60"]
    with Library.open(str(folder), overrides=settings, encoder=WordModel()) as opened:
        list(opened.index([], executor=NoExecutor()))
    with Library.open(str(folder), encoder=WordModel()) as opened:
        assert opened.config.index.uri == str(tmp_path / "index of mine")
        assert opened.config.fetching.timeout_seconds == 60
    [trusted] = trusted_settings()
    assert set(trusted.settings) == {"index.uri", "fetching.timeout_seconds"}


def with_labels(library: Path, example: str, **more: str) -> None:
    """A label file of the library's own, with one example."""
    folder = library / "label_files" / "1"
    folder.mkdir(parents=True)
    (folder / "site.yaml").write_text(yaml.safe_dump({"labels": {"gate": {"examples": {"image": example}}}, **more}))
    (folder / "gate.png").write_bytes(b"a picture")
    name_outside(library, analyze={"labels": "label_files/1/site.yaml"})


def test_a_label_file_of_the_librarys_own_with_its_own_examples_needs_no_trust(library):
    with_labels(library, "gate.png")
    with Library.open(str(library), encoder=WordModel()) as opened:
        assert opened.config.analyze.labels == str(library / "label_files" / "1" / "site.yaml")


@pytest.mark.parametrize(
    ("example", "more"),
    [
        ("/etc/hostname", {}),
        ("file:///etc/hostname", {}),
        ("../../../home/gate.png", {}),
        ("http://host/gate.png", {}),
        ("s3://bucket/gate.png", {}),
        ("link.png", {}),
        ("gate.png", {"extends": "../../elsewhere.yaml"}),
    ],
)
def test_a_label_file_of_the_librarys_own_needs_trust_for_what_it_names_elsewhere(library, example, more):
    with_labels(library, example, **more)
    (library / "label_files" / "1" / "link.png").symlink_to("/etc/hostname")
    with pytest.raises(UntrustedLibraryError, match=r"analyze\.labels"):
        Library.open(str(library), encoder=WordModel())


@pytest.mark.parametrize("labels", ["vehicles", "vehicles.yaml"])
def test_a_label_file_that_comes_with_momentseek_needs_no_trust(library, labels):
    name_outside(library, analyze={"labels": labels})
    with Library.open(str(library), encoder=WordModel()) as opened:
        assert opened.config.analyze.labels == labels
    assert not list(trusted_settings())


def test_the_demo_model_needs_no_trust(library, films):
    model = films / "demo_model"
    name_outside(
        library,
        encoder={
            "architecture": str(model / "open_clip_config.json"),
            "checkpoint": str(model / "open_clip_model.safetensors"),
        },
    )
    with Library.open(str(library), encoder=WordModel()):
        assert not list(trusted_settings())


def test_a_library_says_nothing_of_how_batches_run(library, capsys):
    name_outside(library, execution={"address": "192.0.2.1:6379"})
    with pytest.raises(ConfigError, match="execution"):
        Library.open(str(library), encoder=WordModel())
    assert main(["trust", str(library)]) == 2
    assert "--set" in capsys.readouterr().err


@pytest.mark.parametrize("value", [["a"], {"a": 1}, 7, "x" * 100_000, None])
@pytest.mark.parametrize("name", ["encoder_description", "encoder_fingerprint", "sampling_fingerprint"])
def test_names_that_no_version_writes_are_refused(library, name, value, capsys):
    path = library / "library.yaml"
    content = yaml.safe_load(path.read_text())
    content[name] = value
    path.write_text(yaml.safe_dump(content))
    assert main(["videos", "--library", str(library)]) == 1
    assert "library.yaml: is broken" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../../outside", "/etc", "a/b", "a\0b", ""])
def test_a_fingerprint_is_no_path(library, name, capsys):
    path = library / "library.yaml"
    content = yaml.safe_load(path.read_text())
    content["encoder_fingerprint"] = name
    path.write_text(yaml.safe_dump(content))
    assert main(["videos", "--library", str(library)]) == 1
    assert "encoder_fingerprint" in capsys.readouterr().err


def test_what_is_trusted_is_for_its_owner_alone(library, own_configuration):
    before = os.umask(0)
    try:
        name_outside(library, index={"uri": "http://192.0.2.1:19530"})
        assert main(["trust", str(library)]) == 0
    finally:
        os.umask(before)
    [file] = trust_folder().iterdir()
    assert (trust_folder().stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)


def test_what_others_may_write_trusts_nothing(library, capsys):
    name_outside(library, index={"uri": "http://192.0.2.1:19530"})
    assert main(["trust", str(library)]) == 0
    trust_folder().chmod(0o777)
    with pytest.raises(UntrustedLibraryError):
        Library.open(str(library), encoder=WordModel())
    assert main(["trust", str(library)]) == 2
    assert "chmod 700" in capsys.readouterr().err


def test_a_forged_file_trusts_nothing(library):
    name_outside(library, index={"uri": "http://192.0.2.1:19530"})
    assert main(["trust", str(library)]) == 0
    [file] = trust_folder().iterdir()
    content = json.loads(file.read_text())
    content["settings"]["index.uri"] = "http://192.0.2.2:19530"
    file.write_text(json.dumps(content))
    with pytest.raises(UntrustedLibraryError):
        Library.open(str(library), encoder=WordModel())


def test_all_that_is_trusted_is_listed(library, capsys):
    name_outside(library, index={"uri": "http://192.0.2.1:19530"})
    main(["trust", str(library)])
    capsys.readouterr()
    assert main(["trust", "--list"]) == 0
    assert capsys.readouterr().out.splitlines()[1] == "  index.uri = http://192.0.2.1:19530"
    assert main(["trust", "--list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["settings"] == {"index.uri": "http://192.0.2.1:19530"}


def test_where_nothing_can_be_kept_indexing_goes_on(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    settings = [f"index.uri={tmp_path / 'mine'}"]
    with (
        caplog.at_level("WARNING", logger="pipeline"),
        Library.open(str(tmp_path / "own"), overrides=settings, encoder=WordModel()) as opened,
    ):
        list(opened.index([], executor=NoExecutor()))
    assert "will have to be trusted" in caplog.text


@pytest.mark.parametrize("uri", ["http://user:hunter2@host:19530", "https://hunter2@host"])
def test_a_server_is_named_without_its_password(uri):
    with pytest.raises(ConfigError) as caught:
        Library.open(overrides=[f"index.uri={uri}"])
    assert "hunter2" not in str(caught.value)


def test_nothing_is_trusted_where_nothing_is_named(library, capsys):
    assert main(["trust", str(library)]) == 0
    assert "needs no trust" in capsys.readouterr().err
    assert main(["trust", str(library / "nowhere")]) == 2
    assert main(["trust"]) == 2
