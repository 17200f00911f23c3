"""Routes of concepts: probes fitted to marks, which can be asked for like a text."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from pipeline.analyze.concepts.concept import Concept
from pipeline.library import Library
from pipeline.library.analysis.concepts import (
    ConceptState,
    concept_source,
    concept_states,
    concept_store,
    fit_concept,
)
from pipeline.serve.http.names import ConceptName
from pipeline.serve.http.permissions import Reviewer
from pipeline.serve.http.problems import ProblemError
from pipeline.serve.served_library import Served, ServedLibrary, unless_gone

__all__ = ["routes"]

routes = APIRouter(tags=["concepts"])


class ConceptBody(BaseModel):
    """Settings of a fit; omitted fields keep the concept's current values."""

    model_config = ConfigDict(extra="forbid")

    subject: str | None = Field(default=None, min_length=1, max_length=500, description="Subject of its marks.")
    text: str | None = Field(default=None, max_length=500, description="Text to start from; empty for none.")


@routes.get("/concepts")
def concepts(served: Served) -> dict[str, Any]:
    """List the concepts by name. One that is not current is fitted again when it is used."""
    return {"concepts": [_state_json(state) for state in concept_states(served.library)]}


@routes.get("/concepts/{name:path}")
def concept(served: Served, name: ConceptName) -> dict[str, Any]:
    """Describe a concept: its marks, and the cross-validated precision and recall."""
    return _state_json(_found(served, name))


@routes.post("/concepts/{name:path}/fit")
async def fit(
    request: Request, served: Served, _who: Reviewer, name: ConceptName, body: ConceptBody | None = None
) -> dict[str, Any]:
    """Fit a concept, new or not, to the marks of its subject; with too few marks, the problem says how many it needs.

    Marks of frames about which the model is uncertain (`/review/uncertain`) teach it most.
    """
    wanted = body or ConceptBody()

    def fitted(library: Library) -> Concept:
        return fit_concept(library, concept_source(library, name, subject=wanted.subject, text=wanted.text))

    found = await unless_gone(request, served.desk.call(fitted))
    return _state_json(ConceptState(found, is_current=True, is_of_encoder=True))


@routes.delete("/concepts/{name:path}", status_code=HTTPStatus.NO_CONTENT)
def delete_concept(served: Served, _who: Reviewer, name: ConceptName) -> None:
    """Remove a concept; its marks are kept."""
    if not concept_store(served.library).remove(name):
        raise _unknown(name)


def _found(served: ServedLibrary, name: str) -> ConceptState:
    for state in concept_states(served.library):
        if state.concept.name == name:
            return state
    raise _unknown(name)


def _unknown(name: str) -> ProblemError:
    return ProblemError(HTTPStatus.NOT_FOUND, "unknown_concept", f"the library has no concept {name[:100]!r}")


def _state_json(state: ConceptState) -> dict[str, Any]:
    fields = {name: value for name, value in state.concept.as_json().items() if name != "vector"}
    return {**fields, "is_current": state.is_current, "is_of_encoder": state.is_of_encoder}
