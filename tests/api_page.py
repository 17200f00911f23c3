"""Writes docs/reference/api.md from the server's OpenAPI description.

python -m tests.api_page
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "api.md"
Fields = Mapping[str, Any]

_INTRODUCTION = """\
# HTTP API

The routes of [`momentseek serve`](../how-to/serve.md). `python -m tests.api_page` writes this page from the server's
OpenAPI description, which the server gives out at `/api/v1/openapi.json`, and a test compares them; edit the
descriptions of the routes, not the page.

- Questions and answers are the JSON of [`momentseek search`](answer-json.md). Moments and absences have an `id` in
  addition, such as `144bec235d5b1cc0@12.84,17.36`, which names them in other routes.
- Every error is a problem (RFC 9457, `application/problem+json`) with `status`, `title`, `detail`, which says what to
  do, and `code`, a word for programs. 503 and 429 come with `Retry-After`.
- JSON answers, pictures and media have entity tags: with `If-None-Match`, an unchanged answer is 304. Media are
  answered by byte ranges.
- A list that has more entries than `limit` ends with `next`; pass it as `cursor` for the next page.

| status | `code` | meaning |
|---|---|---|
| 400 | `bad_path`, `bad_length`, `bad_precondition` | The request is malformed. |
| 401 | `no_token`, `wrong_token` | The server demands a token. |
| 403 | `foreign_origin`, `role` | The request comes from another site, or its token does not allow it. |
| 403 | `sources_not_allowed`, `source_not_allowed` | The server's owner does not allow it to read these videos. |
| 403 | `settings_not_allowed` | Only commands of the server's user may give settings for a batch. |
| 404 | `unknown_video`, `unknown_moment`, `unknown_run`, `unknown_case`, ... | The library has no such thing. |
| 408 | `too_slow` | The body did not arrive in time. |
| 409 | `needs_part`, `video_read` | The video must be played in parts; or its file changed since it was indexed. |
| 409 | `run_active`, `foreign_run` | Another batch is running; or the run is not one of this server. |
| 409 | `read_only` | The library cannot be written. |
| 412 | `version_mismatch` | Somebody has changed it since it was read; nothing was written. |
| 413 | `too_large` | The body is too large. |
| 415 | `unsupported_file` | The upload is neither a picture nor a video. |
| 421 | `unknown_host` | The server does not answer to this name. |
| 422 | `query`, `invalid_request`, `bad_part`, `bad_cursor` | The question or a parameter is invalid. |
| 429 | `too_many` | Too many requests of this client are at work. |
| 503 | `busy`, `too_slow`, `preparing` | Ask again after `Retry-After` seconds. |
"""


def page() -> str:
    """The page as it should be."""
    from shots_library import opened

    from pipeline.serve import create_app

    with tempfile.TemporaryDirectory() as folder:
        app = create_app(opened(Path(folder)))
        description = app.openapi()
        app.state.served.close()
    return f"{_INTRODUCTION}\n{''.join(_sections(description))}".rstrip() + "\n"


def _sections(description: Fields) -> Iterator[str]:
    by_tag: dict[str, list[tuple[str, str, Fields]]] = {}
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            by_tag.setdefault(operation["tags"][0], []).append((method.upper(), path, operation))
    for tag, routes in sorted(by_tag.items()):
        yield f"## {tag.capitalize()}\n\n"
        for method, path, operation in sorted(routes, key=lambda route: (route[1], route[0])):
            yield from _route(method, path, operation, description["components"]["schemas"])


def _route(method: str, path: str, operation: Fields, schemas: Mapping[str, Fields]) -> Iterator[str]:
    yield f"### `{method} {path}`\n\n{_prose(operation.get('description', ''))}\n\n"
    given = [each for each in operation.get("parameters", ()) if each["in"] == "query"]
    if given:
        yield "| parameter | values | meaning |\n|---|---|---|\n"
        for each in given:
            yield f"| `{each['name']}` | {_values(each)} | {_prose(each.get('description', ''))} |\n"
        yield "\n"
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"Body (`{kind}`): {_body(content.get('schema', {}), schemas)}.\n\n"


def _body(schema: Fields, schemas: Mapping[str, Fields]) -> str:
    """What a body is: the name of its form, and the fields that a client sends."""
    (one,) = [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]
    name = one.get("$ref", "").rpartition("/")[2]
    if name == "Question":
        return "[a question](answer-json.md#whole-answers)"
    if not name:
        return "bytes"
    fields = schemas[name]["properties"]
    required = schemas[name].get("required", ())
    sent = [
        f"`{field}`{' (required)' if field in required else ''}"
        for field, each in fields.items()
        if not each.get("readOnly")
    ]
    return f"an object of {', '.join(sent)}"


def _values(parameter: Fields) -> str:
    schema = parameter["schema"]
    kinds = schema.get("anyOf", [schema])
    parts = []
    for kind in kinds:
        if kind.get("type") in (None, "null"):
            continue
        low, high = kind.get("minimum"), kind.get("maximum")
        bounds = f", {low:g} to {high:g}" if low is not None and high is not None else ""
        parts.append({"array": "list of texts", "string": "text"}.get(kind["type"], kind["type"]) + bounds)
    default = schema.get("default")
    shown = "" if default in (None, "") else f"; default {str(default).lower()}"
    return (" or ".join(parts) or "any") + shown + ("; required" if parameter.get("required") else "")


def _prose(text: str) -> str:
    return re.sub(r"\s*\n\s*", " ", text.replace("\n\n", "\0")).replace("\0", " ").strip()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
