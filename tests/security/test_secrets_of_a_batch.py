"""Where the credentials of a submitted batch go, and what `doctor` says of files that are open to others."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from pipeline.errors import ConfigError, ExecutionError
from pipeline.execution.ray.session_folder import PREFIX
from pipeline.library.file_permissions import loose_modes
from pipeline.submission.address import address_of, check_answers
from pipeline.submission.bundle import JobBatch

SECRET = "hunter2"
BATCH = JobBatch(
    config_yaml=f"library: s3://key:{SECRET}@bucket/library\nindex: {{uri: 'https://a:{SECRET}@milvus'}}\n",
    identity={"library": f"s3://key:{SECRET}@bucket/library"},
    library=f"s3://key:{SECRET}@bucket/library",
    sources=("/videos/a.mp4",),
    version="0.1.0",
    environment={"TOKEN": SECRET},
)


def test_credentials_are_only_in_files_of_their_owner(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        BATCH.write(tmp_path)
    finally:
        os.umask(before)
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o077 == 0
    shown = [repr(BATCH), BATCH.entrypoint, BATCH.base_id, BATCH.metadata, BATCH.runtime_env(str(tmp_path))]
    assert SECRET not in str(shown)
    assert BATCH.metadata["library"].endswith("bucket/library")


def test_an_address_with_a_password_is_in_no_message() -> None:
    with pytest.raises(ConfigError) as refused:
        address_of(f"ftp://user:{SECRET}@head")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ExecutionError) as unanswered:
        check_answers(f"http://user:{SECRET}@127.0.0.1:{port}")
    assert SECRET not in str(refused.value) + str(unanswered.value)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    for folder in (home, tmp_path / "library", tmp_path / "temporary"):
        folder.mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setattr("pipeline.library.file_permissions.bases", lambda: [tmp_path / "temporary"])
    return home


def said(home: Path) -> str:
    return "\n".join(f"{each.finding}: {each.remedy}" for each in loose_modes(str(home.parent / "library")))


def test_private_files_are_no_finding(home: Path) -> None:
    (home / ".ray").mkdir(mode=0o700)
    (home / ".ray" / "auth_token").touch(mode=0o600)
    (home / "config" / "momentseek").mkdir(mode=0o755, parents=True)
    assert said(home) == ""


def test_loose_modes_are_reported_and_left_as_they_are(home: Path) -> None:
    token = home / ".ray" / "auth_token"
    session = home.parent / "temporary" / "ray" / "session_1"
    ours = home.parent / "temporary" / f"{PREFIX}abc"
    trusted = home / "config" / "momentseek" / "trusted.json"
    for folder in (token.parent, session, ours, trusted.parent):
        folder.mkdir(parents=True)
    token.write_text(SECRET)
    trusted.touch()
    modes = {token: 0o644, session: 0o777, ours: 0o755, trusted: 0o666, home.parent / "library": 0o755}
    for path, mode in modes.items():
        path.chmod(mode)
    found = said(home)
    assert "other users can read it (mode 0644)" in found
    assert "all users can write to 1 folders" in found
    assert f"{ours} has mode 0755" in found
    assert f"other users can write to {trusted} (mode 0666)" in found
    assert "library (mode 0755): names, metadata" in found
    assert SECRET not in found
    assert {path: path.stat().st_mode & 0o777 for path in modes} == modes


def test_a_ray_without_a_token_is_reported(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert "every user of this machine can run programs as you" in said(home)
