"""docs/reference/api.md lists every route of the server, as its OpenAPI description has it."""

from __future__ import annotations

from api_page import PAGE, page


def test_the_page_is_up_to_date() -> None:
    assert page() == PAGE.read_text(encoding="utf-8"), "write it again: python -m tests.api_page"
