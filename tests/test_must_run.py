"""What MOMENTSEEK_MUST_RUN names is never skipped, in whichever way a test skips itself."""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

TESTS = Path(__file__).resolve().parent

SKIPPED = {
    "module": 'pytest.importorskip("no_such_package")\npytestmark = pytest.mark.ray\ndef test_it(): ...',
    "module, by a plain skip": 'pytest.skip("later", allow_module_level=True)\n@pytest.mark.ray\ndef test_it(): ...',
    "body": '@pytest.mark.ray\ndef test_it():\n    pytest.importorskip("no_such_package")',
    "fixture": '@pytest.fixture\ndef one():\n    pytest.skip("none")\n@pytest.mark.ray\ndef test_it(one): ...',
    "condition": '@pytest.mark.ray\n@pytest.mark.skipif(True, reason="never")\ndef test_it(): ...',
    "class": '@pytest.mark.ray\n@pytest.mark.skip(reason="never")\nclass TestIt:\n    def test_it(self): ...',
}


@pytest.fixture
def outcomes(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], dict[str, int]]:
    """Runs a test file under this project's conftest.py, where some marks must run: how many ended in which way."""
    # Other packages' plugins would be imported again each time, and a hook stays for the life of this process.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setattr(sys, "addaudithook", lambda _: None)
    pytester.makeini("[pytest]\nmarkers =\n    ray\n    world\n    root\n    footage\n")
    for name in ("browser.py", "conftest.py", "milvus_server.py"):
        shutil.copy(TESTS / name, pytester.path)

    def run(text: str, must_run: str) -> dict[str, int]:
        monkeypatch.setenv("MOMENTSEEK_MUST_RUN", must_run)
        pytester.makepyfile(test_it=f"import pytest\n{text}\n")
        return pytester.runpytest_inprocess("-p", "no:cacheprovider").parseoutcomes()

    return run


@pytest.mark.parametrize("way", SKIPPED)
def test_what_must_run_fails_where_it_skips_itself(outcomes, way):
    assert set(outcomes(SKIPPED[way], "ray")) & {"failed", "error", "errors"}


@pytest.mark.parametrize("must_run", ["", "world"])
@pytest.mark.parametrize("way", SKIPPED)
def test_what_need_not_run_is_skipped(outcomes, way, must_run):
    assert outcomes(SKIPPED[way], must_run) == {"skipped": 1}


def test_what_is_missing_fails_where_it_must_run(outcomes):
    """No real footage lies beside the folder in which this runs."""
    text = "@pytest.mark.footage\ndef test_it(): ..."
    assert outcomes(text, "") == {"skipped": 1}
    assert set(outcomes(text, "footage")) & {"failed", "error", "errors"}


def test_another_need_may_be_lacking(outcomes):
    assert outcomes("@pytest.mark.ray\n@pytest.mark.footage\ndef test_it(): ...", "ray") == {"skipped": 1}


def test_an_expected_failure_may_still_fail(outcomes):
    assert outcomes("@pytest.mark.ray\n@pytest.mark.xfail\ndef test_it(): assert False", "ray") == {"xfailed": 1}


def test_an_unknown_name_is_refused(pytester, monkeypatch):
    for name in ("browser.py", "conftest.py", "milvus_server.py"):
        shutil.copy(TESTS / name, pytester.path)
    monkeypatch.setenv("MOMENTSEEK_MUST_RUN", "ray wrold")
    done = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*names wrold; it may name: ray, world, *"])


def test_an_interrupt_is_handled_where_a_shell_ignores_it(outcomes):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        text = "import signal, subprocess, sys\n\ndef test_it():\n"
        child = "import os, signal; os.kill(os.getpid(), signal.SIGINT)"
        text += f"    done = subprocess.run([sys.executable, '-c', {child!r}], stderr=subprocess.PIPE)\n"
        assert outcomes(f"{text}    assert b'KeyboardInterrupt' in done.stderr\n", "") == {"passed": 1}
    finally:
        signal.signal(signal.SIGINT, before)


def test_ray_is_started_by_tests_with_its_mark_alone(pytester, outcomes, tmp_path):
    server = tmp_path / "gcs_server"
    server.write_text("#!/bin/sh\n")
    server.chmod(0o700)
    start = f"import subprocess; subprocess.run([{str(server)!r}])"
    text = f"def test_plain(): {start}\n@pytest.mark.ray\ndef test_marked(): {start}\n"
    text += f"@pytest.fixture\ndef one(): {start}\ndef test_prepared(one): ...\ndef test_other(): ...\n"
    pytester.makepyfile(test_it=f"import pytest\n{text}")
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    done.assert_outcomes(passed=2, failed=1, errors=1)
    done.stdout.fnmatch_lines(["*this test has started Ray: mark it `ray`*"])
