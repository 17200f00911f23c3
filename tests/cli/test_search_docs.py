"""The examples of docs/how-to/search.md: what stands side by side must be one question."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.cli import question_options
from pipeline.cli.commands.search import search
from pipeline.search import Query, Then, as_query

TEXT = (Path(__file__).parents[2] / "docs" / "how-to" / "search.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```\n```python\n(.*?)```\n```json\n(.*?)```", TEXT, re.DOTALL)
ROWS = re.findall(r"^\| (`--.*?) \| `(.*?)` \|", TEXT, re.MULTILINE)


def of_command(arguments: str) -> Query:
    with search.make_context("search", shlex.split(arguments, comments=True)) as context:
        said = {name: context.params[name] for name in question_options._NAMES}
        query = question_options._question_input(said, context.meta[question_options._ORDER]).query
    assert query is not None
    return query


def of_python(code: str) -> list[Query]:
    asked: list[Query] = []
    library = SimpleNamespace(ask=lambda question: asked.append(as_query(question)))
    exec(code, {"library": library, "Query": Query, "Then": Then})
    return asked


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block[2][:40])
def test_the_three_forms_are_one_question(block: tuple[str, str, str]) -> None:
    commands = [of_command(line.removeprefix("momentseek search ")) for line in block[0].splitlines()]
    jsons = [as_query(json.loads(line)) for line in block[2].splitlines()]
    assert commands == of_python(block[1]) == jsons
    assert commands


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1])
def test_an_option_is_its_field(row: tuple[str, str]) -> None:
    options = row[0].replace("`", "").replace(",", "")
    assert of_command(f"x {options}") == as_query({"shows": "x", **json.loads(f"{{{row[1]}}}")})


def test_every_field_of_a_question_is_told() -> None:
    assert (len(BLOCKS), len(ROWS)) == (6, 11)
    told = " ".join([*(block[2] for block in BLOCKS), *(row[1] for row in ROWS)])
    assert {name for name in (*Query.model_fields, "within") if f'"{name}"' not in told} == set()
