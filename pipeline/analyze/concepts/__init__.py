"""Concepts: linear probes on stored embeddings, fitted to marks, that can stand wherever a text can."""

from __future__ import annotations

from pipeline.analyze.concepts.concept import Concept
from pipeline.analyze.concepts.concept_store import ConceptStore

__all__ = ["Concept", "ConceptStore"]
