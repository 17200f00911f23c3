"""Concepts: linear probes on stored embeddings, fitted to marks, usable wherever a text is."""

from __future__ import annotations

from pipeline.analyze.concepts.concept import Concept
from pipeline.analyze.concepts.concept_store import ConceptStore

__all__ = ["Concept", "ConceptStore"]
