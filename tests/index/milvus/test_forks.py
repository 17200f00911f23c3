from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Forks as Ray does to start its servers: code that runs between fork and exec keeps Python from using vfork.
_FORKS = """
import subprocess, sys
from collections import Counter
from pathlib import Path
from pipeline.index.milvus.lite.folder import LiteFolder

folder = LiteFolder(Path(sys.argv[1]))
ends = Counter()
for _ in range(100):
    ends[subprocess.run(["true"], preexec_fn=lambda: None, stderr=subprocess.DEVNULL).returncode] += 1
folder.close()
print(dict(ends))
"""


def test_processes_that_are_forked_beside_an_open_index_run(tmp_path: Path) -> None:
    """With gRPC's handlers of forks, one to five of these 100 were aborted."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GRPC_")}
    code = [sys.executable, "-c", _FORKS, str(tmp_path / "index")]
    run = subprocess.run(code, env=environment, capture_output=True, text=True, check=True)
    assert run.stdout == "{0: 100}\n"


@pytest.mark.parametrize("chosen", ["true", None])
def test_the_users_choice_counts(monkeypatch: pytest.MonkeyPatch, chosen: str | None) -> None:
    from pipeline.index.milvus.lite.folder import silence

    name = "GRPC_ENABLE_FORK_SUPPORT"
    monkeypatch.setenv(name, "anything")
    monkeypatch.delenv(name) if chosen is None else monkeypatch.setenv(name, chosen)
    silence()
    assert os.environ[name] == (chosen or "false")
