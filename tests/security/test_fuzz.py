"""The short form of `python -m tests.security.fuzz`: the same documents each time, some of each parser."""

from __future__ import annotations

import pytest
from fuzz import TARGETS, run

from pipeline.testing.examples import examples

EXAMPLES = 60


@pytest.mark.parametrize("name", TARGETS)
def test_a_parser_gives_a_value_or_its_error(name: str) -> None:
    run(name, examples(EXAMPLES))
