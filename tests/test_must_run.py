"""What MOMENTSEEK_MUST_RUN names is never skipped, in whichever way a test skips itself."""

from __future__ import annotations

import shutil
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
    # Other packages' plugins would be imported again each time.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeini("[pytest]\nmarkers =\n    ray\n    world\n    root\n    footage\n")
    for name in ("conftest.py", "milvus_server.py"):
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
    for name in ("conftest.py", "milvus_server.py"):
        shutil.copy(TESTS / name, pytester.path)
    monkeypatch.setenv("MOMENTSEEK_MUST_RUN", "ray wrold")
    done = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*names wrold; it may name: ray, world, *"])
