"""A Ray cluster as docs/how-to/jobs.md starts one, and a second machine's point of view of it."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from pipeline.cli import main
from pipeline.execution.ray.cluster import OWN_RAY

PROJECT = Path(__file__).resolve().parent.parent
_MARK = "MOMENTSEEK_TEST_CLUSTER"
_PORTS = (
    "port",
    "dashboard-port",
    "dashboard-agent-listen-port",
    "dashboard-agent-grpc-port",
    "runtime-env-agent-port",
    "metrics-export-port",
    "ray-client-server-port",
)
_COMMANDS = ("initialization", "setup", "head_setup", "worker_setup", "head_start_ray", "worker_start_ray")
_NO_SETUP = {"use_node_id_as_ip": True, "disable_node_updaters": True, "disable_launch_config_check": True}
_START_SECONDS = 120
WATCHFUL = {**OWN_RAY, "health_check_initial_delay_ms": 1000, "health_check_period_ms": 1000}
"""Of the head of a cluster whose machines come and go: workers wait for more to do instead of being started again, and
a machine that has gone is missed after five seconds, not fifteen."""
_MAIN = "import sys; from pipeline.cli import main; sys.exit(main(sys.argv[1:]))"


@dataclass(frozen=True)
class Head:
    """A running cluster, as another machine knows it.

    Attributes:
        address: Of its dashboard.
        gcs: By which a batch on its machines joins it.
        token: What the Jobs API asks for.
        home: Home folder of a user who keeps that token.
        logs: Where Ray writes its logs.
    """

    address: str
    gcs: str
    token: str
    home: Path
    logs: Path

    def client(self, *arguments: object, cwd: Path | None = None, **changes: str) -> subprocess.Popen[str]:
        """Start `momentseek` in a process that knows nothing of the cluster but what its home holds."""
        environment = _bare_environment() | {"HOME": str(self.home), "PYTHONPATH": str(PROJECT)} | changes
        return subprocess.Popen(
            [sys.executable, "-c", _MAIN, *map(str, arguments)],
            env=environment,
            cwd=cwd,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def driver(self, script: str, folder: Path) -> subprocess.Popen[str]:
        """Start a program on one of the cluster's machines; `sys.argv[1]` is the cluster's address."""
        own = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.token}
        own["PYTHONPATH"] = os.pathsep.join([str(PROJECT / "tests"), str(PROJECT)])
        return subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script), self.gcs],
            cwd=folder,
            env=_bare_environment() | own,
            text=True,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def momentseek(self, *arguments: object, code: int = 0, **changes: str) -> tuple[str, str]:
        """Run it to its end, which must be with this exit code; what it wrote on standard output and error.

        It runs in this process, which imported it long ago, with the environment that `client` gives to one of its own.
        """
        out, err = io.StringIO(), io.StringIO()
        with self._environment(**changes), redirect_stdout(out), redirect_stderr(err):
            ended = main([str(argument) for argument in arguments])
        assert ended == code, f"exit code {ended}\n{out.getvalue()}\n{err.getvalue()}"
        return out.getvalue(), err.getvalue()

    @contextmanager
    def _environment(self, **changes: str) -> Iterator[None]:
        kept = dict(os.environ)
        wanted = _bare_environment() | {"HOME": str(self.home)} | changes
        try:
            os.environ.clear()
            os.environ.update(wanted)
            yield
        finally:
            os.environ.clear()
            os.environ.update(kept)


@contextmanager
def ray_head(
    *, cpus: int = 2, node_types: dict[str, object] | None = None, variables: Mapping[str, str] | None = None
) -> Iterator[Head]:
    """Start a cluster with token authentication, on ports that are free, and end all its processes.

    Args:
        cpus: Of its first machine.
        node_types: Machines that Ray's autoscaler may add, each of them processes on this one; none without.
        variables: Of the environment of its processes.
    """
    mark = uuid.uuid4().hex
    # The paths of Ray's sockets have to be short.
    folder = Path(tempfile.mkdtemp(prefix="ms-", dir="/tmp"))
    ray = Path(sys.executable).parent / "ray"
    # Ray's workers stand back for all else on a machine, and this one may be busy.
    own = {_MARK: mark, "HOME": str(folder), "RAY_AUTH_MODE": "token", "RAY_worker_niceness": "0"}
    environment = _bare_environment() | own | dict(variables or {})
    started: list[subprocess.Popen[bytes]] = []
    try:
        made = subprocess.run(
            [ray, "get-auth-token", "--generate"], env=environment, text=True, capture_output=True, check=True
        )
        command = [ray, "start", "--head", "--block", f"--num-cpus={cpus}", "--num-gpus=0", "--disable-usage-stats"]
        command += ["--node-ip-address=127.0.0.1", "--dashboard-host=127.0.0.1", f"--temp-dir={folder / 'ray'}"]
        command += ["--min-worker-port=0", "--max-worker-port=0", f"--object-store-memory={200 * 2**20}"]
        if node_types is not None:
            environment |= {"AUTOSCALER_UPDATE_INTERVAL_S": "1", "RAY_FAKE_CLUSTER": "1"}
        for tries_left in (2, 1, 0):
            ports = _free_ports(len(_PORTS))
            given = [f"--{name}={port}" for name, port in zip(_PORTS, ports, strict=True)]
            if node_types is not None:
                given.append(f"--autoscaling-config={_autoscaling(folder, f'127.0.0.1:{ports[0]}', cpus, node_types)}")
            with (folder / "start.log").open("w") as log:
                started.append(
                    subprocess.Popen(
                        [*command, *given], env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True
                    )
                )
            if _has_started(started[-1], folder, ports[1]):
                break
            # Ray gives its own processes half a minute, which is not enough on a machine that is very busy.
            _end_all(mark)
            assert tries_left, (folder / "start.log").read_text()
        gcs, token = f"127.0.0.1:{ports[0]}", made.stdout.strip()
        yield Head(f"http://127.0.0.1:{ports[1]}", gcs, token, folder, folder / "ray")
    finally:
        _end_all(mark)
        for process in started:
            process.wait(timeout=20)
        shutil.rmtree(folder, ignore_errors=True)


def _autoscaling(folder: Path, gcs: str, cpus: int, node_types: dict[str, object]) -> Path:
    """What Ray's own AutoscalingCluster would write; that one first ends every Ray on this machine."""
    head = "ray.head.default"
    config = {
        "cluster_name": "test",
        "max_workers": 4,
        # A cluster that asks for much at once gets it at once.
        "upscaling_speed": 100,
        "idle_timeout_minutes": 0.2,
        "provider": {"type": "fake_multinode", "gcs_address": gcs, "launch_multiple": True, **_NO_SETUP},
        "available_node_types": {head: {"resources": {"CPU": cpus}, "node_config": {}, "max_workers": 0}, **node_types},
        "head_node_type": head,
        "auth": {},
        "file_mounts": {},
        "cluster_synced_files": [],
        **{f"{kind}_commands": [] for kind in _COMMANDS},
    }
    path = folder / "autoscaling.json"
    path.write_text(json.dumps(config))
    return path


def _bare_environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "PYTHON", "MOMENTSEEK"))}
    paths = [str(Path(sys.executable).parent), kept.get("PATH", "")]
    return kept | {"PATH": os.pathsep.join(paths)}


def _free_ports(count: int) -> list[int]:
    with ExitStack() as open_until_all_are_known:
        servers = [open_until_all_are_known.enter_context(socket.create_server(("", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]


def _has_started(process: subprocess.Popen[bytes], folder: Path, port: int) -> bool:
    """Wait until Ray answers at its dashboard's port, or has given up."""
    path = folder / "start.log"
    until = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        if "Ray runtime started" in path.read_text() and _answers(port):
            return True
        time.sleep(0.2)
    return False


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _end_all(mark: str) -> None:
    """Kill every process that inherited the cluster's mark, until there is none."""
    until = time.monotonic() + 20
    while found := list(_marked(mark)):
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        assert time.monotonic() < until, f"processes {found} of the cluster do not end"
        time.sleep(0.1)


def _marked(mark: str) -> Iterator[int]:
    wanted = f"{_MARK}={mark}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "environ").read_bytes() and " Z " not in (folder / "stat").read_text():
                yield int(folder.name)
        except OSError:
            continue
