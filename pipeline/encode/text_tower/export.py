"""Exports the text tower of an open_clip model to ONNX, and verifies it against torch."""

from __future__ import annotations

import gzip
import hashlib
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.encode.text_tower.clip_graph import INPUT, OPSET, OUTPUT, clip_graph, is_clip_tower
from pipeline.encode.text_tower.half_precision import with_half_weights
from pipeline.encode.text_tower.probe_texts import FEW_PROBE_TEXTS, PROBE_TEXTS
from pipeline.encode.text_tower.tower import onnx_session, run_tower
from pipeline.encode.text_tower.tower_file import BpeTokenizing, DeclaredVocabulary, TextTowerFile
from pipeline.encode.vocabulary import Vocabulary
from pipeline.errors import EncoderError

__all__ = ["MIN_COSINE_FLOAT", "MIN_COSINE_HALF", "export_text_tower"]

MIN_COSINE_FLOAT = 0.9999
"""Minimum cosine between the embeddings of the exported tower and of torch, in single precision."""
MIN_COSINE_HALF = 0.999
"""The same minimum for weights in half precision."""
_MERGES = slice(1, 49152 - 256 - 2 + 1)
_BATCH = 16
_log = logging.getLogger(__name__)


class _ExportedTower(NamedTuple):
    """An exported tower: its ONNX file, its minimum cosine to torch, and the length of its embeddings."""

    content: bytes
    cosine: float
    dimension: int


def export_text_tower(
    network: Any,
    tokenizer: Any,
    *,
    fingerprint: str,
    vocabulary: Vocabulary | None,
    logit_scale: float,
    logit_bias: float | None,
) -> tuple[TextTowerFile, bytes]:
    """Export a text tower.

    Args:
        network: open_clip's model, in fp32.
        tokenizer: The model's tokenizer.
        fingerprint: Fingerprint of the encoder.
        vocabulary: The declared vocabulary; None if the model takes any text.
        logit_scale: The model's logit scale.
        logit_bias: The model's logit bias; None if it has none.

    Returns:
        The tower's description, and the content of its ONNX file.

    Raises:
        EncoderError: The tower or its tokenizer is of a kind that cannot be exported, or the exported tower's
            embeddings differ from torch's.
        ImportError: A package that is needed for the export is not installed.
    """
    import onnx  # noqa: F401 - a missing package must not be stored as a defect of the tower
    import onnxruntime  # noqa: F401
    import torch

    tokenizing = _tokenizing(tokenizer)
    context_length = int(network.context_length)
    texts = _known(PROBE_TEXTS, vocabulary)
    tokens = tokenizer(texts, context_length=context_length)
    if not np.array_equal(tokenizing.tokenizer()(texts, context_length), tokens.numpy()):
        raise EncoderError("its tokenizer differs from CLIP's")
    tower = _exported(network, tokens, [texts.index(text) for text in _known(FEW_PROBE_TEXTS, vocabulary)])
    declared = None
    if vocabulary is not None:
        declared = DeclaredVocabulary(unknown=vocabulary.unknown, words=tuple(sorted(vocabulary.words)))
    return (
        TextTowerFile(
            encoder=fingerprint,
            sha256=hashlib.sha256(tower.content).hexdigest(),
            size_bytes=len(tower.content),
            dimension=tower.dimension,
            context_length=context_length,
            logit_scale=logit_scale,
            logit_bias=logit_bias,
            tokenizer=tokenizing,
            vocabulary=declared,
            cosine=round(tower.cosine, 6),
            exporter=f"torch {torch.__version__}",
        ),
        tower.content,
    )


def _known(texts: Sequence[str], vocabulary: Vocabulary | None) -> list[str]:
    """Replace the words that the model does not know, if it declares a vocabulary."""
    return [vocabulary.known_text(text) for text in texts] if vocabulary is not None else list(texts)


def _exported(network: Any, tokens: Any, few: list[int]) -> _ExportedTower:
    """Export a tower: build its graph if it is a standard one, else let torch export it.

    Args:
        network: open_clip's model.
        tokens: Tokens of all probe texts.
        few: Positions of the texts that suffice for a graph that this project built itself. One that torch exported is
            compared on all texts, since tracing may take a value of its example for a constant.

    Raises:
        EncoderError: The tower cannot be exported, or its embeddings differ from torch's.
    """
    try:
        if is_clip_tower(network):
            return _compared(partial(clip_graph, network), network, tokens[few])
    except Exception:  # noqa: BLE001 - whatever another version of open_clip changes, torch may still export it
        _log.debug("the text tower's graph cannot be built directly", exc_info=True)
    return _compared(partial(_traced, network, tokens[:2]), network, tokens)


def _compared(graph: Callable[[], Any], network: Any, tokens: Any) -> _ExportedTower:
    """Convert a graph's weights to half precision, and compare its embeddings with torch's.

    Args:
        graph: Makes the graph, an `onnx.ModelProto` in single precision.
        network: open_clip's model.
        tokens: Tokens of the texts to compare.

    Raises:
        EncoderError: The embeddings differ.
    """
    import torch

    device = next(network.parameters()).device
    with torch.inference_mode():
        parts = [network.encode_text(part.to(device), normalize=True) for part in tokens.split(_BATCH)]
        expected = torch.cat(parts).float().cpu().numpy()
    content = with_half_weights(graph()).SerializeToString()
    cosine = _check(content, tokens.numpy(), expected, MIN_COSINE_HALF)
    if cosine < MIN_COSINE_FLOAT:
        # Half precision usually meets the limit of single precision, which then needs no run of its own.
        _check(graph().SerializeToString(), tokens.numpy(), expected, MIN_COSINE_FLOAT)
    return _ExportedTower(content, cosine, expected.shape[1])


def _tokenizing(tokenizer: Any) -> BpeTokenizing:
    """Describe a tokenizer.

    Raises:
        EncoderError: The tokenizer's type cannot be exported.
    """
    from open_clip.tokenizer import SimpleTokenizer, default_bpe

    if type(tokenizer) is not SimpleTokenizer or tokenizer.reduction_fn is not None:
        raise EncoderError(f"a tokenizer of type {type(tokenizer).__name__} cannot be exported")
    with gzip.open(default_bpe()) as file:
        lines = file.read().decode("utf-8").split("\n")
    return BpeTokenizing(merges="\n".join(lines[_MERGES]))


def _traced(network: Any, tokens: Any) -> Any:
    """Let torch export the network's text tower; return an `onnx.ModelProto` in single precision.

    Raises:
        EncoderError: The tower cannot be exported.
    """
    import torch

    class Tower(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, tokens: Any) -> Any:
            return self.network.encode_text(tokens, normalize=True)

    tower, tokens = Tower().eval(), tokens.to(next(network.parameters()).device)
    problems = []
    # For a small tower, the tracing exporter takes 0.7 s and the newer one 9 s, but torch has deprecated the former.
    for export in (_by_tracing, _by_torch_export):
        try:
            with _quiet():
                return export(tower, tokens)
        except Exception as error:  # noqa: BLE001 - after any failure in torch, searches work without the export
            problems.append(f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
            _log.debug("export of the text tower failed", exc_info=True)
    raise EncoderError(f"torch cannot export it ({'; '.join(problems)})")


def _by_tracing(tower: Any, tokens: Any) -> Any:
    import onnx
    import torch

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tower.onnx"
        torch.onnx.export(
            tower,
            (tokens,),
            path,
            dynamo=False,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "n"}, OUTPUT: {0: "n"}},
            opset_version=OPSET,
        )
        return onnx.load(path)


def _by_torch_export(tower: Any, tokens: Any) -> Any:
    import onnx
    import torch

    program: Any = torch.onnx.export(
        tower,
        (tokens,),
        dynamo=True,
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=({0: torch.export.Dim("n", min=1, max=4096)},),
        opset_version=OPSET,
        verbose=False,
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tower.onnx"
        program.save(path)
        return onnx.load(path)


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the exporter's warnings, and disable torch's fused attention, which cannot be exported."""
    import torch

    fast_path = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)


def _check(content: bytes, tokens: npt.NDArray[np.int64], expected: npt.NDArray[np.float32], least: float) -> float:
    """Compare an exported tower's embeddings with torch's; return the minimum cosine.

    Raises:
        EncoderError: The minimum is below `least`.
    """
    session = onnx_session(content)
    # Batches of several sizes detect a batch size that was fixed in the graph.
    sizes: Sequence[int] = (1, 2, 3, *[_BATCH] * len(tokens))
    found, first = [], 0
    for size in sizes:
        if first < len(tokens):
            found.append(run_tower(session, tokens[first : first + size]))
        first += size
    vectors = np.concatenate(found)
    lengths = np.linalg.norm(vectors, axis=1)
    cosine = float((np.einsum("nd,nd->n", vectors, expected) / lengths).min())
    if not cosine >= least:
        raise EncoderError(f"its embeddings differ from torch's: the minimum cosine is {cosine:.5f}, below {least}")
    return cosine
