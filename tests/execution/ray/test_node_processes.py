"""The processes of a Ray instance that is started for a batch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.ray

PROJECT = Path(__file__).parents[3]
SCRIPT = """
import json, os
from pathlib import Path
from pipeline.execution import Execution
from pipeline.execution.ray.cluster import connected
from pipeline.execution.ray.start import _parents

with connected(Execution(executor="ray")):
    import ray
    from ray._private.node import Node
    answer = ray.get(ray.remote(lambda: 6 * 7).remote())
    mine, parents = {os.getpid()}, _parents()
    while more := {pid for pid, parent in parents.items() if parent in mine} - mine:
        mine |= more
    commands = [Path(f"/proc/{pid}/cmdline").read_text() for pid in mine if Path(f"/proc/{pid}").exists()]
    restored = Node.start_api_server.__module__
left = [pid for pid, parent in _parents().items() if parent == os.getpid()]
print(json.dumps([answer, commands, restored, len(left)]))
"""


def test_ray_is_started_without_processes_for_others_and_leaves_none() -> None:
    run = subprocess.run([sys.executable, "-c", SCRIPT], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    answer, commands, restored, left = json.loads(run.stdout.splitlines()[-1])
    assert (answer, restored, left) == (42, "ray._private.node", 0)
    assert any("raylet" in command for command in commands)
    assert not [command for command in commands if "dashboard/dashboard.py" in command or "monitor.py" in command]
