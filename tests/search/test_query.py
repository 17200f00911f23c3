"""Questions are validated once, when they are made."""

from __future__ import annotations

import pytest

from pipeline.errors import QueryError
from pipeline.search import Query, as_query


@pytest.mark.parametrize("given", [None, {}])
def test_a_query_that_nothing_is_laid_over_is_returned_as_it_is(given):
    query = as_query({"shows": "a person", "then": [{"shows": "a car"}], "where": {"camera": "gate"}})
    assert as_query(query, given) is query


def test_fields_laid_over_a_query_replace_its_own_and_are_validated():
    query = Query(shows="a person", top=5)
    assert as_query(query, {"top": 7}) == Query(shows="a person", top=7)
    assert query.top == 5
    with pytest.raises(QueryError, match="page"):
        as_query(query, {"page": 0})


@pytest.mark.parametrize("question", ["", "  \n"])
def test_an_empty_text_is_refused(question):
    with pytest.raises(QueryError, match="the question is empty"):
        as_query(question)
