"""`momentseek serve` as a process: its address and tokens, TLS, and its end while a request is at work."""

from __future__ import annotations

import os
import re
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from certificate_factory import make_certificate

from pipeline.cli import main


@contextmanager
def serving(library: Path, folder: Path, *options: object) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """A running server; its process, its address, and what it said before."""
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL);"
        " from pipeline.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "serve", "--library", library, "--port", "0", *options]
    environment = {**os.environ, "XDG_CONFIG_HOME": str(folder / "config"), "XDG_STATE_HOME": str(folder / "state")}
    with subprocess.Popen(
        list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        said = ""
        assert process.stderr is not None
        while (found := re.search(r" at (https?://\S+:\d+)/", said)) is None:
            line = process.stderr.readline()
            assert line, said
            said += line
        threading.Thread(target=process.stderr.read, daemon=True).start()
        try:
            yield process, found[1], said
        finally:
            process.kill()


def test_a_server_is_ended_when_its_answers_are_given(served_folder: Path, tmp_path: Path) -> None:
    with serving(served_folder, tmp_path) as (process, address, said):
        assert said.startswith(f"Serving {served_folder} at http://127.0.0.1:")
        answers: list[int] = []

        def ask() -> None:
            answers.append(httpx.get(f"{address}/api/v1/search", params={"text": "a ladder"}, timeout=60).status_code)

        # The model is still loading: the answer takes a while.
        asking = threading.Thread(target=ask)
        asking.start()
        while b"search" not in httpx.get(f"{address}/metrics").content and asking.is_alive():
            if "momentseek_questions_waiting 1.0" in httpx.get(f"{address}/metrics").text:
                break
        process.send_signal(signal.SIGTERM)
        asking.join()
        assert process.wait(60) == 0
        assert answers == [200]
    assert len(list((tmp_path / "state" / "momentseek" / "audit").iterdir())) == 1


def test_another_address_needs_a_token_that_is_shown_once(served_folder: Path, tmp_path: Path) -> None:
    with serving(served_folder, tmp_path, "--host", "0.0.0.0", "--no-audit") as (process, listens_at, said):
        address = listens_at.replace("0.0.0.0", "127.0.0.1")
        token = re.search(r"msk_\S+", said)[0]
        assert httpx.get(f"{address}/api/v1/videos").status_code == 401
        assert httpx.get(f"{address}/api/v1/videos", headers={"Authorization": f"Bearer {token}"}).status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert not (tmp_path / "state").exists()
    [path] = (tmp_path / "config" / "momentseek" / "tokens").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    with serving(served_folder, tmp_path, "--host", "0.0.0.0", "--no-audit") as (_, listens_at, said):
        assert "msk_" not in said
        address = listens_at.replace("0.0.0.0", "127.0.0.1")
        assert httpx.get(f"{address}/api/v1/videos", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_tls(served_folder: Path, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    options = ("--certificate", certificate, "--private-key", key, "--no-audit")
    with serving(served_folder, tmp_path, *options) as (_, address, _):
        context = ssl.create_default_context(cafile=str(certificate))
        response = httpx.get(address.replace("127.0.0.1", "localhost") + "/healthz", verify=context)
        assert response.json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--private-key", __file__), 2, "belongs to a --certificate"),
        (("--certificate", __file__, "--port", "0"), 2, "TLS cannot be set up"),
        (("--host", "203.0.113.7", "--token-file", "t.json"), 2, "cannot listen at"),
        (("--remove-token", "nobody", "--token-file", "t.json"), 2, "no token named 'nobody'"),
    ],
)
def test_what_cannot_be_served(
    served_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...], code: int, said: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MOMENTSEEK_DEBUG", raising=False)
    assert main(["serve", "--library", str(served_folder), *options]) == code
    assert said in capsys.readouterr().err


def test_tokens_are_made_and_removed(served_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["serve", "--library", str(served_folder), "--token-file", str(tmp_path / "t.json")]
    assert main([*options, "--new-token", "anna", "--role", "review"]) == 0
    assert capsys.readouterr().out.startswith("msk_")
    assert main([*options, "--new-token", "anna"]) == 2
    assert main([*options, "--remove-token", "anna"]) == 0
    assert '"tokens": []' in (tmp_path / "t.json").read_text()
