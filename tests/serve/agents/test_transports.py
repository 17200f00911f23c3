"""The command `momentseek mcp`: stdio, HTTP, tokens and foreign requests."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from pipeline.errors import ConfigError
from pipeline.library import Library
from pipeline.serve.mcp.agent_library import AgentLibrary
from pipeline.serve.mcp.http import http_app, is_loopback, read_token
from pipeline.serve.mcp.tools import make_server

PROJECT = Path(__file__).parents[3]
MAIN = ["-c", "import sys; from pipeline.cli import main; sys.exit(main(sys.argv[1:]))", "mcp"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(PROJECT)}
Serve = Callable[..., tuple[int, list[str]]]
REQUEST = json.dumps(
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }
)


def test_an_agent_starts_the_command_itself(place: Path) -> None:
    parameters = StdioServerParameters(
        command=sys.executable, args=[*MAIN, "--library", str(place)], env=ENVIRONMENT, cwd=str(place.parent)
    )

    async def ask() -> tuple[list[str], Any, Any]:
        async with Client(parameters) as client:
            tools = [tool.name for tool in (await client.list_tools()).tools]
            found = await client.call_tool("search_moments", {"query": "a forklift"})
            return tools, found, await client.call_tool("view_moment", {"moment_id": "nonsense"})

    tools, found, refused = asyncio.run(ask())
    assert len(tools) == 8
    assert found.structured_content["moments"][0]["video"] == "site.mp4"
    assert refused.is_error


@pytest.fixture
def serve(place: Path) -> Iterator[Serve]:
    """Starts the command on HTTP; returns its port and what it prints."""
    started: list[subprocess.Popen[str]] = []

    def serve(*arguments: str) -> tuple[int, list[str]]:
        command = [sys.executable, *MAIN, "--library", str(place), "--http", "0", *arguments]
        process = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True, cwd=place.parent)
        started.append(process)
        said: list[str] = []
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            if line.startswith("serving at"):
                break
        assert said, process.wait()
        address = re.search(r"serving at http://[\w.]+:(\d+)/mcp$", said[-1])
        assert address is not None, said
        return int(address[1]), said

    yield serve
    for process in started:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
        if process.stderr is not None:
            process.stderr.close()


def _post(port: int, body: str = REQUEST, **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    usual = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    connection.request("POST", "/mcp", body, {**usual, **headers})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


def test_http_on_loopback_answers_this_machine_and_no_web_page(serve: Serve) -> None:
    port, _ = serve()

    async def ask() -> Any:
        async with Client(f"http://127.0.0.1:{port}/mcp") as client:
            return await client.call_tool("library_status", {})

    assert asyncio.run(ask()).structured_content["videos"] == 1
    assert _post(port) == 200
    assert _post(port, Host="evil.example") == 421
    assert _post(port, Host=f"127.0.0.1.evil.example:{port}") == 421
    assert _post(port, Origin="http://evil.example") == 403
    assert _post(port, Origin="null") == 403
    assert _post(port, Origin=f"http://localhost:{port}") == 200
    assert _post(port, body="x" * 5 * 2**20) == 413


def test_a_port_that_is_in_use_is_an_error(place: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        refused = subprocess.run(
            [sys.executable, *MAIN, "--library", str(place), "--http", port],
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
    assert (refused.returncode, "serving at" in refused.stderr) == (2, False)
    assert f"cannot listen at 127.0.0.1, port {port}" in refused.stderr
    assert "choose another: --host, --http" in refused.stderr


def test_another_address_needs_a_token(serve: Serve, place: Path) -> None:
    refused = subprocess.run(
        [sys.executable, *MAIN, "--library", str(place), "--http", "0", "--host", "0.0.0.0"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert (refused.returncode, "--token-file" in refused.stderr) == (2, True)
    file = place.parent / "token"
    port, said = serve("--host", "0.0.0.0", "--name", "127.0.0.1", "--token-file", str(file))
    token = file.read_text().strip()
    assert [line for line in said if token in line] == said[:1]
    wrong = token[:-1] + ("a" if token[-1] != "a" else "b")
    assert [_post(port), _post(port, Authorization=f"Bearer {wrong}"), _post(port, Authorization=token)] == [401] * 3
    assert _post(port, Authorization=f"Bearer {token}") == 200
    assert _post(port, Authorization=f"Bearer {token}", Host="evil.example") == 421

    async def ask() -> Any:
        client = create_mcp_http_client({"Authorization": f"Bearer {token}"})
        async with client, Client(streamable_http_client(f"http://127.0.0.1:{port}/mcp", http_client=client)) as mcp:
            return await mcp.call_tool("list_labels", {})

    assert not asyncio.run(ask()).is_error


def test_a_token_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "token"
    token, is_new = read_token(file)
    assert (len(token) >= 32, is_new, file.stat().st_mode & 0o777) == (True, True, 0o600)
    assert read_token(file) == (token, False)
    file.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_token(file)
    file.chmod(0o600)
    (tmp_path / "link").symlink_to(file)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_token(tmp_path / "link")
    for content in ("", "short", "é" * 40):
        file.write_text(content)
        with pytest.raises(ConfigError, match="token"):
            read_token(file)
    with pytest.raises(ConfigError, match="cannot be kept"):
        read_token(tmp_path / "no/token")


def test_what_counts_as_loopback() -> None:
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "127.8.8.8")] == [True] * 4
    assert [is_loopback(host) for host in ("0.0.0.0", "::", "192.168.1.2", "example.org", "")] == [False] * 5


def test_no_application_without_a_token_for_other_machines(library: Library) -> None:
    server = make_server(AgentLibrary(library))
    with pytest.raises(ConfigError, match="--token-file"):
        http_app(server, "192.168.1.2")
