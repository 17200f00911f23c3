"""Builds the ONNX graph of a standard CLIP text tower directly from its weights, without tracing the network.

Tracing a ViT-B/32's tower takes seconds. The graph computes what `open_clip.model.CLIP.encode_text` does: embeddings of
tokens and positions, transformer blocks with a causal mask, a final norm, the features at the text's last token, and a
projection, normalised. The exporter compares its embeddings with torch's before it is used.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["INPUT", "OPSET", "OUTPUT", "clip_graph", "is_clip_tower"]

OPSET = 18
"""Version of ONNX's operators. From 17 on there is LayerNormalization, from 18 on ReduceL2 takes its axes as here."""
INPUT, OUTPUT = "tokens", "vectors"
_BATCH = "n"


def is_clip_tower(network: Any) -> bool:
    """Whether a network of open_clip has the text tower of CLIP, without any of open_clip's options."""
    import torch
    from open_clip.model import CLIP
    from open_clip.transformer import Transformer

    return (
        type(network) is CLIP
        and type(network.transformer) is Transformer
        and network.transformer.batch_first
        and network.text_pool_type == "argmax"
        and _is_causal(network.attn_mask)
        and isinstance(network.text_projection, torch.Tensor)
        and _is_standard_norm(network.ln_final)
        and all(map(_is_standard_block, network.transformer.resblocks))
    )


def clip_graph(network: Any) -> Any:
    """Build the graph of a network's text tower.

    Args:
        network: A network of which `is_clip_tower` is true.

    Returns:
        An `onnx.ModelProto` in single precision, from int64 (n, context_length) to float32 (n, D).
    """
    from onnx import TensorProto, helper

    graph = _GraphBuilder()
    graph.append_tower(network)
    tokens = helper.make_tensor_value_info(INPUT, TensorProto.INT64, [_BATCH, int(network.context_length)])
    vectors = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [_BATCH, int(network.text_projection.shape[1])])
    model = helper.make_model(
        helper.make_graph(graph.nodes, "text tower", [tokens], [vectors]),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=8,
    )
    # After the graph is made, because making it copies its tensors.
    for name, values in graph.weights.items():
        kind = helper.np_dtype_to_tensor_dtype(values.dtype)
        model.graph.initializer.add(name=name, data_type=kind, dims=values.shape, raw_data=values.tobytes())
    return model


def _is_causal(mask: Any) -> bool:
    """Whether a mask hides from each token what follows it, and nothing else."""
    import torch

    return mask is not None and torch.equal(mask, torch.full_like(mask, -torch.inf).triu(1))


def _is_standard_block(block: Any) -> bool:
    from open_clip.transformer import QuickGELU, ResidualAttentionBlock
    from torch import nn

    if type(block) is not ResidualAttentionBlock or hasattr(block, "ln_1_kv"):
        return False
    attention, activation = block.attn, block.mlp.gelu
    return bool(
        type(attention) is nn.MultiheadAttention
        and attention._qkv_same_embed_dim
        and attention.in_proj_bias is not None
        and attention.bias_k is None
        and not attention.add_zero_attn
        and type(block.ls_1) is type(block.ls_2) is nn.Identity
        and (type(activation) is QuickGELU or (type(activation) is nn.GELU and activation.approximate == "none"))
        and all(type(layer) is nn.Linear and layer.bias is not None for layer in (block.mlp.c_fc, block.mlp.c_proj))
        and _is_standard_norm(block.ln_1)
        and _is_standard_norm(block.ln_2)
    )


def _is_standard_norm(norm: Any) -> bool:
    from open_clip.transformer import LayerNorm, LayerNormFp32

    return type(norm) in (LayerNorm, LayerNormFp32) and norm.bias is not None and len(norm.normalized_shape) == 1


class _GraphBuilder:
    """Nodes and weights of a graph that is being built; methods return the name of the tensor that they add.

    Attributes:
        nodes: The nodes, each an `onnx.NodeProto`.
        weights: Constant tensors by name.
    """

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: dict[str, npt.NDArray[Any]] = {}

    def append_tower(self, network: Any) -> None:
        """Append the tower from `INPUT` to `OUTPUT`."""
        # The end of a text has the highest token number, at its first occurrence.
        ends = self._node("ArgMax", INPUT, axis=1, keepdims=1)
        # The mask is causal, so what follows the end of the longest text has no influence on any end.
        last = self._node("ReduceMax", ends, self._constant("both", np.array([0, 1], np.int64)), keepdims=0)
        length = self._node("Reshape", last, self._constant("flat", np.array([1], np.int64)))
        length = self._node("Add", length, self._constant("one_token", np.array([1], np.int64)))
        tokens = self._first(INPUT, length, axis=1)
        positions = self._first(self._weight("positional_embedding", network.positional_embedding), length, axis=0)
        mask = self._weight("attn_mask", network.attn_mask)
        mask = self._first(self._first(mask, length, axis=0), length, axis=1)
        table = self._weight("token_embedding", network.token_embedding.weight)
        rows = self._node("Add", self._node("Gather", table, tokens), positions)
        for number, block in enumerate(network.transformer.resblocks):
            rows = self._block(f"block{number}", block, rows, mask)
        rows = self._norm("ln_final", network.ln_final, rows)
        pooled = self._node("GatherND", rows, ends, batch_dims=1)
        features = self._node("MatMul", pooled, self._weight("text_projection", network.text_projection))
        lengths = self._node("ReduceL2", features, self._constant("axes", np.array([1], np.int64)), keepdims=1)
        self._node("Div", features, lengths, output=OUTPUT)

    def _first(self, tensor: str, length: str, *, axis: int) -> str:
        """Append what cuts a tensor to its first `length` entries along an axis."""
        start = self._constant("start", np.array([0], np.int64))
        return self._node("Slice", tensor, start, length, self._constant(f"axis{axis}", np.array([axis], np.int64)))

    def _block(self, name: str, block: Any, rows: str, mask: str) -> str:
        normed = self._norm(f"{name}.ln_1", block.ln_1, rows)
        rows = self._node("Add", rows, self._attention(f"{name}.attn", block.attn, normed, mask))
        hidden = self._linear(f"{name}.c_fc", block.mlp.c_fc, self._norm(f"{name}.ln_2", block.ln_2, rows))
        active = self._activation(block.mlp.gelu, hidden)
        return self._node("Add", rows, self._linear(f"{name}.c_proj", block.mlp.c_proj, active))

    def _attention(self, name: str, attention: Any, rows: str, mask: str) -> str:
        heads = int(attention.num_heads)
        width = int(attention.embed_dim) // heads
        shape = self._constant("split", np.array([0, 0, 3, heads, width], np.int64))
        projected = self._affine(f"{name}.in_proj", attention.in_proj_weight, attention.in_proj_bias, rows)
        # To (3, n, heads, tokens, width): queries, keys and values.
        parts = self._node("Transpose", self._node("Reshape", projected, shape), perm=[2, 0, 3, 1, 4])
        queries, keys, values = (
            self._node("Gather", parts, self._constant(f"part{number}", np.array(number, np.int64)), axis=0)
            for number in range(3)
        )
        scale = self._constant("scale", np.array(width**-0.5, np.float32))
        scores = self._node(
            "MatMul", self._node("Mul", queries, scale), self._node("Transpose", keys, perm=[0, 1, 3, 2])
        )
        weights = self._node("Softmax", self._node("Add", scores, mask), axis=-1)
        attended = self._node("Transpose", self._node("MatMul", weights, values), perm=[0, 2, 1, 3])
        joined = self._node("Reshape", attended, self._constant("join", np.array([0, 0, heads * width], np.int64)))
        return self._linear(f"{name}.out_proj", attention.out_proj, joined)

    def _activation(self, activation: Any, rows: str) -> str:
        from torch import nn

        if isinstance(activation, nn.GELU):
            scaled = self._node("Mul", rows, self._constant("sqrt_half", np.array(0.5**0.5, np.float32)))
            shifted = self._node("Add", self._node("Erf", scaled), self._constant("one", np.array(1.0, np.float32)))
            halved = self._node("Mul", rows, self._constant("half", np.array(0.5, np.float32)))
            return self._node("Mul", halved, shifted)
        scaled = self._node("Mul", rows, self._constant("quick", np.array(1.702, np.float32)))
        return self._node("Mul", rows, self._node("Sigmoid", scaled))

    def _norm(self, name: str, norm: Any, rows: str) -> str:
        scale, bias = self._weight(f"{name}.weight", norm.weight), self._weight(f"{name}.bias", norm.bias)
        return self._node("LayerNormalization", rows, scale, bias, axis=-1, epsilon=float(norm.eps))

    def _linear(self, name: str, layer: Any, rows: str) -> str:
        return self._affine(name, layer.weight, layer.bias, rows)

    def _affine(self, name: str, weight: Any, bias: Any, rows: str) -> str:
        product = self._node("MatMul", rows, self._weight(f"{name}.weight", weight.T))
        return self._node("Add", product, self._weight(f"{name}.bias", bias))

    def _node(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        from onnx import helper

        name = output or f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def _weight(self, name: str, tensor: Any) -> str:
        return self._constant(name, tensor.detach().float().cpu().contiguous().numpy())

    def _constant(self, name: str, values: npt.NDArray[Any]) -> str:
        self.weights[name] = values
        return name
