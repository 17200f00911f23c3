"""Requests that the OpenAPI description allows, and others: no server error, and every error is problem details."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from made_library import add_video
from schemathesis import GenerationMode
from shots_library import opened
from starlette.testclient import TestClient
from starlette.testclient import httpx as client_library
from video_factory import make_video, steady

from pipeline.search import as_query
from pipeline.serve import ServeSettings, create_app

QUICKLY = settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, str]]:
    """A client of a server, and the id of its one video."""
    folder = tmp_path_factory.mktemp("described")
    library = opened(folder / "library")
    video_id = add_video(library, make_video(folder / "a.mp4", steady(40)))
    app = create_app(library, ServeSettings(part_seconds=2.0))
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        client.follow_redirects = False
        yield client, video_id


NAMES = st.sampled_from(["text", "image", "like", "at", "start", "shows", "within"])
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = PLAIN | st.lists(PLAIN, max_size=3) | st.dictionaries(NAMES, PLAIN, max_size=3)
SHORT_QUESTION = {
    "type": "object",
    "required": ["shows"],
    "properties": {"shows": {"type": "string", "minLength": 1, "maxLength": 20}, "top": {"type": "integer"}},
}
QUESTIONS = st.fixed_dictionaries(
    {"shows": st.just("red") | JSON},
    optional={name: JSON for name in as_query("red").model_dump() if name not in ("shows", "refine")},
)


def operations(client: TestClient) -> Iterator[schemathesis.APIOperation]:
    description = client.get("/api/v1/openapi.json").json()
    # To make examples of a question's whole schema takes minutes; the next test makes its own.
    description["components"]["schemas"]["Question"] = SHORT_QUESTION
    for found in schemathesis.openapi.from_dict(description).get_all_operations():
        yield found.ok()


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_no_request_is_a_server_error(described: tuple[TestClient, str], mode: GenerationMode) -> None:
    client, video_id = described
    seen: set[int] = set()
    for operation in operations(client):
        if operation.path.endswith("/events"):
            continue  # they do not end

        @QUICKLY
        @given(case=operation.as_strategy(generation_mode=mode), is_known=st.booleans())
        def ask(case: schemathesis.Case, is_known: bool) -> None:
            # Half of the requests are about a video that is there; the others would all end with 404.
            if is_known and "video_id" in case.path_parameters:
                case.path_parameters["video_id"] = video_id
            if is_known and "moment_id" in case.path_parameters:
                case.path_parameters["moment_id"] = f"{video_id}@0.5,1.5"
            request = case.as_transport_kwargs(base_url="http://localhost")
            request["headers"] = {**dict(request["headers"]), "Host": "localhost"}
            request.pop("cookies", None)
            if "data" in request:
                request["content"] = request.pop("data")
            try:
                response = client.request(**request)
            except client_library.InvalidURL:
                return  # no client can send this address
            seen.add(response.status_code)
            is_busy = response.status_code == 503 and "retry-after" in response.headers
            assert response.status_code < 500 or is_busy, response.text
            if response.status_code >= 400:
                assert response.headers["content-type"] == "application/problem+json", response.text
                assert response.json()["status"] == response.status_code

        try:
            ask()
        except Unsatisfiable:
            # A route without parameters and body has no request that is wrong.
            assert mode is GenerationMode.NEGATIVE
    assert {404, 422} <= seen


@settings(QUICKLY, max_examples=60)
@given(question=QUESTIONS)
def test_no_question_is_a_server_error(described: tuple[TestClient, str], question: dict[str, object]) -> None:
    response = described[0].post("/api/v1/search", content=json.dumps(question))
    assert response.status_code in (200, 422), response.text


def test_the_description_names_every_route(described: tuple[TestClient, str]) -> None:
    paths = {operation.path for operation in operations(described[0])}
    assert {"/api/v1/search", "/api/v1/videos/{video_id}/media", "/metrics"} <= paths
    for operation in operations(described[0]):
        summary = operation.definition.raw.get("description", "")
        assert summary.endswith("."), operation.path
