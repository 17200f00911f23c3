"""The table of what `make mutants` changes names files that are there, and its results are counted right."""

from __future__ import annotations

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
