"""The table of what `make mutants` changes names files that are there, and its results are counted right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from mutation_run import PROJECT, read_areas, read_equivalents, score_table

TABLE = [
    pytest.param(source, tests, id=source) for sources in read_areas().values() for source, tests in sources.items()
]


@pytest.mark.parametrize(("source", "tests"), TABLE)
def test_the_files_of_the_table_exist(source: str, tests: list[str]) -> None:
    assert tests
    assert [path for path in (source, *tests) if not (PROJECT / path).is_file()] == []


def test_no_source_is_in_two_areas() -> None:
    sources = [source for area in read_areas().values() for source in area]
    assert len(sources) == len(set(sources))


def test_each_known_equivalent_is_of_an_area_and_has_a_reason() -> None:
    for name, reason in read_equivalents().items():
        assert name.split()[0] in read_areas(), name
        assert " -> " in name
        assert reason, name


def test_a_reason_stands_for_the_names_below_it_up_to_an_empty_line(tmp_path: Path) -> None:
    path = tmp_path / "equivalents.txt"
    path.write_text("# Head.\n\n# The same\n# twice.\na f: x -> y\na f: x -> z\n\na g: x -> y\n")
    assert read_equivalents(path) == {
        "a f: x -> y": "The same twice.",
        "a f: x -> z": "The same twice.",
        "a g: x -> y": "",
    }


def test_what_was_not_decided_counts_for_nothing() -> None:
    outcomes = ["failed", "hung", "hung", "passed", "out of time"]
    results = [{"area": "store", "outcome": outcome} for outcome in outcomes] + [{"area": "index", "outcome": "failed"}]
    rows = [line.split() for line in score_table(results).splitlines()[1:]]
    assert rows == [
        ["store", "5", "3", "1", "1", "75%"],
        ["index", "1", "1", "0", "0", "100%"],
        ["all", "6", "4", "1", "1", "80%"],
    ]


_TRY = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import mutation_run
mutation_run.PROJECT = Path.cwd()
copy = mutation_run.Copy(Path("../copied"))
unchanged = copy.run_unchanged(["test_code.py"])
print(unchanged.outcome)
for code in ("VALUE = 1", "VALUE = 2", "VALUE ="):
    print(copy.run_changed("code_tried.py", code, ["test_code.py"], unchanged).outcome)
"""
_FILES = {
    "conftest.py": "import hypothesis\nhypothesis.settings.register_profile('ci')\n",
    "code_tried.py": "VALUE = 1\n",
    "test_code.py": """
import pathlib

import code_tried

def test_that_fails_now_and_then():
    path = pathlib.Path(COUNT)
    count = len(path.read_text()) if path.exists() else 0
    path.write_text("x" * (count + 1))
    assert count % 3

def test_of_the_code():
    assert code_tried.VALUE == 1
""",
}


def test_a_test_that_fails_now_and_then_catches_nothing(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "copied").mkdir()
    for name, text in _FILES.items():
        (project / name).write_text(text.replace("COUNT", repr(str(tmp_path / "count"))))
    subprocess.run(["git", "init", "--quiet"], cwd=project, check=True)
    command = [sys.executable, "-c", _TRY, str(Path(__file__).parent)]
    out = subprocess.run(command, cwd=project, check=True, capture_output=True, text=True).stdout
    flaky = "test_code.py::test_that_fails_now_and_then failed, and passed by itself; the tests are run again"
    assert out.splitlines() == [flaky, "passed", flaky, "passed", flaky, "failed", "failed"]
