"""Limits of the code's layout: names of classes, sizes of folders and files, lengths of functions."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

PIPELINE = Path(__file__).parents[1] / "pipeline"
FILES_PER_FOLDER = 18
LINES_PER_FILE = 350
MEDIAN_LINES = 7
LINES_OF_NINE_IN_TEN = 19
MOST_LINES = 50


@cache
def trees() -> dict[str, ast.Module]:
    return {
        path.relative_to(PIPELINE.parent).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(PIPELINE.rglob("*.py"))
    }


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring and decorators."""
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is not None:
        lines -= function.body[0].end_lineno - function.body[0].lineno + 1
    return lines


def test_a_class_name_occurs_once() -> None:
    """A private class counts as well, without its underscore."""
    places: dict[str, list[str]] = defaultdict(list)
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                places[node.name.lstrip("_")].append(f"{path}:{node.lineno}")
    assert len(places) > 400
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_folders_and_files_stay_small() -> None:
    folders = Counter(path.parent for path in PIPELINE.rglob("*.py"))
    assert {str(folder): count for folder, count in folders.items() if count > FILES_PER_FOLDER} == {}
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in PIPELINE.rglob("*.py")}
    assert {str(path): count for path, count in lines.items() if count > LINES_PER_FILE} == {}


def test_functions_stay_short() -> None:
    lengths = sorted(
        lines_of(node)
        for tree in trees().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    assert lengths[len(lengths) // 2] <= MEDIAN_LINES
    assert lengths[len(lengths) * 9 // 10] <= LINES_OF_NINE_IN_TEN
    assert lengths[-1] <= MOST_LINES
