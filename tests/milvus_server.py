"""A real Milvus server of the tests' own: the package `milvus` carries one that needs no container.

    make milvus-server      install it in build/ (80 MB, some seconds)
    make run-milvus-server  run it at http://127.0.0.1:19530 until Ctrl-C, with its data in build/milvus-data

It keeps its metadata in an embedded etcd with two fixed ports, so that a machine runs one at a time.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
INSTALLED = PROJECT / "build" / "milvus-server"
PACKAGE = PROJECT / "tests" / "milvus_server.lock"
_ETCD_PORTS = (2379, 2380)
_READY_SECONDS = 120.0

# Ports are named, since the package would choose another where one is still settling after a stop, and a server that
# comes back elsewhere is no server that comes back.
_UNPACK = """
import sys
from milvus import MilvusServerConfig, _initialize_data_files
folder, port, *ports = sys.argv[1:]
names = [name for name in MilvusServerConfig().configurable_items if name.endswith("_port") and name != "etcd_port"]
settings = dict(zip(names, map(int, ports)))
config = MilvusServerConfig(data_dir=folder, **{**settings, **({"proxy_port": int(port)} if port else {})})
config.resolve()
_initialize_data_files(config.base_data_dir)
print(config.get("proxy_port"))
"""


def set_up(folder: Path) -> None:
    """Install the server into a virtual environment of its own; without dependencies, since it needs none to run."""
    if not (folder / ".complete").exists():
        venv.create(folder, with_pip=True)
        pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "--no-deps", "--require-hashes", "-r", PACKAGE], check=True)
        (folder / ".complete").touch()


class MilvusServer:
    """A server on free ports of this machine, with data of its own; `start` and `stop` as often as wanted.

    Args:
        installed: Where it is installed.
        folder: For its data, which a later server goes on with.
        port: At which it answers; None for a free one.
    """

    def __init__(self, installed: Path, folder: Path, port: int | None = None) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        *ports, self._metrics_port = _free_ports(11)
        command = [installed / "bin" / "python", "-c", _UNPACK, folder, str(port or ""), *map(str, ports)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        written = folder / "configs" / "milvus.yaml"
        text = re.sub(r"endpoints: localhost:\d+", f"endpoints: localhost:{_ETCD_PORTS[0]}", written.read_text())
        written.write_text(text)
        self.uri = f"http://127.0.0.1:{int(done.stdout)}"

    def start(self) -> None:
        """Start it, unless it runs, and wait until it answers."""
        if self._process is not None:
            return
        environment = {
            **os.environ,
            "DEPLOY_MODE": "STANDALONE",
            "METRICS_PORT": str(self._metrics_port),
            "MILVUS_RUN_DIR": str(self._folder / "run"),
            "LD_LIBRARY_PATH": str(self._folder / "bin"),
        }
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._folder / "bin" / "milvus", "run", "standalone"],
                cwd=self._folder,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        health = f"http://127.0.0.1:{self._metrics_port}/healthz"
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"the Milvus server ended at once; see {self._folder / 'server.log'}")
            with contextlib.suppress(OSError), urllib.request.urlopen(health, timeout=5) as answer:
                if b"OK" in answer.read():
                    return
            time.sleep(0.2)
        self.stop()
        raise TimeoutError(f"the Milvus server did not answer within {_READY_SECONDS:.0f} s")

    def stop(self) -> None:
        """Kill it, as a machine that loses its power does."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


def problem() -> str | None:
    """Why no server can be started here, if so."""
    if not (INSTALLED / ".complete").exists():
        return "no Milvus server is set up here (make milvus-server)"
    for port in _ETCD_PORTS:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return f"another server has port {port}, which Milvus's etcd needs"
    return None


@contextlib.contextmanager
def running() -> Iterator[MilvusServer]:
    """A server that runs until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="milvus-server-", ignore_cleanup_errors=True) as folder:
        server = MilvusServer(INSTALLED, Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()


def serve(folder: Path, port: int) -> None:
    """Run the server until this process is interrupted or told to end.

    Raises:
        SystemExit: It cannot be started here, or was told to end.
    """
    if (said := problem()) is not None:
        sys.exit(f"error: {said}")
    folder.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = MilvusServer(INSTALLED, folder.resolve(), port)
    try:
        server.start()
        sys.stdout.write(f"Milvus answers at {server.uri}. For a library: momentseek index migrate {server.uri}\n")
        sys.stdout.write("Ctrl-C stops it; its data stays.\n")
        sys.stdout.flush()
        signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        server.stop()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        set_up(Path(sys.argv[1]))
        sys.stdout.write("Installed. Start it: make run-milvus-server. Tests start a server of their own.\n")
