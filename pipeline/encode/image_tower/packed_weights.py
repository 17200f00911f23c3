"""Image towers with weights packed once for a processor's bfloat16 matrix products.

torch passes the weights of `nn.Linear` to oneDNN row by row, and oneDNN rearranges them for its AMX or AVX512-BF16
kernel in every call. torch's compiler has operators for weights that are rearranged once; they also apply GELU and add
the residual while a result is still in the processor's registers. This module uses those operators without the
compiler, whose own code was slower than plain torch here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from open_clip.transformer import ResidualAttentionBlock

__all__ = ["pack_weights"]

# Rows for which oneDNN chooses the layout: 32 images of ViT-B/32's 50 tokens. Any other number of rows works as well.
_TYPICAL_ROWS = 1600


def pack_weights(tower: nn.Module) -> bool:
    """Pack the weights of an image tower's linear layers, in place.

    Embeddings change only by rounding: fewer intermediate results are rounded to bfloat16.

    Args:
        tower: An image tower in bfloat16 on a processor, in evaluation mode. It must not be trained afterwards.

    Returns:
        False if torch or the processor cannot do it; the tower is then unchanged.
    """
    if not _is_supported():
        return False
    _pack_children(tower)
    return True


def _pack_children(parent: nn.Module) -> None:
    for name, child in list(parent.named_children()):
        if _is_standard_block(child):
            setattr(parent, name, _PackedBlock(cast("ResidualAttentionBlock", child)))
        elif type(child) is nn.Linear and child.weight.dtype == torch.bfloat16:
            setattr(parent, name, _PackedLinear(child.weight, child.bias))
        else:
            _pack_children(child)


def _is_supported() -> bool:
    operators = torch.ops.mkldnn
    names = ("_is_mkldnn_bf16_supported", "_linear_pointwise", "_reorder_linear_weight")
    return (
        torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and all(hasattr(operators, name) for name in names)
        and bool(operators._is_mkldnn_bf16_supported())
    )


class _PackedLinear(nn.Module):
    """A linear layer with packed weights.

    Args:
        weight: bfloat16 (outputs, inputs).
        bias: bfloat16 (outputs,), or None.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        super().__init__()
        self._packed = torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous(), _TYPICAL_ROWS)
        self.bias = None if bias is None else nn.Parameter(bias.detach(), requires_grad=False)

    @property
    def weight(self) -> torch.Tensor:
        """The unpacked weights, for modules that read them instead of calling the layer; unpacked at each access."""
        unpacked: torch.Tensor = self._packed.to_dense()
        return unpacked

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Map (..., inputs) to (..., outputs)."""
        return self._mapped(rows, "none", "")

    def with_gelu(self, rows: torch.Tensor) -> torch.Tensor:
        """Map the rows, and apply GELU by the error function."""
        return self._mapped(rows, "gelu", "none")

    def added(self, rows: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Map the rows, and add `other`, (..., outputs)."""
        operator = torch.ops.mkldnn._linear_pointwise.binary
        result: torch.Tensor = operator(rows.contiguous(), other.contiguous(), self._packed, self.bias, "add")
        return result

    def _mapped(self, rows: torch.Tensor, activation: str, algorithm: str) -> torch.Tensor:
        operator = torch.ops.mkldnn._linear_pointwise
        result: torch.Tensor = operator(rows.contiguous(), self._packed, self.bias, activation, [], algorithm)
        return result


def _is_standard_block(module: nn.Module) -> bool:
    from open_clip.transformer import ResidualAttentionBlock

    if type(module) is not ResidualAttentionBlock or hasattr(module, "ln_1_kv"):
        return False
    attention = cast(nn.MultiheadAttention, module.attn)
    return bool(
        attention.batch_first
        and attention._qkv_same_embed_dim
        and attention.in_proj_weight.dtype == torch.bfloat16
        and attention.bias_k is None
        and not attention.add_zero_attn
    )


class _PackedBlock(nn.Module):
    """open_clip's `ResidualAttentionBlock` with packed weights: self-attention and two linear layers.

    Args:
        block: The block, which may have layer scales and any activation.
    """

    def __init__(self, block: ResidualAttentionBlock) -> None:
        super().__init__()
        attention = block.attn
        self._head_count = attention.num_heads
        self._in_projection = _PackedLinear(attention.in_proj_weight, attention.in_proj_bias)
        self._out_projection = _PackedLinear(attention.out_proj.weight, attention.out_proj.bias)
        self._hidden = _PackedLinear(block.mlp.c_fc.weight, block.mlp.c_fc.bias)
        self._output = _PackedLinear(block.mlp.c_proj.weight, block.mlp.c_proj.bias)
        self._activation = block.mlp.gelu
        self._norms = nn.ModuleList([block.ln_1, block.ln_2])
        self._scales = nn.ModuleList([block.ls_1, block.ls_2])

    def forward(self, tokens: torch.Tensor, attn_mask: torch.Tensor | None = None) -> torch.Tensor:
        """Map (images, tokens, width) to the same shape; arguments as in open_clip."""
        attended = self._attended(self._norms[0](tokens), attn_mask)
        tokens = self._residual(0, self._out_projection, attended, tokens)
        return self._residual(1, self._output, self._activated(self._norms[1](tokens)), tokens)

    def _attended(self, tokens: torch.Tensor, attn_mask: torch.Tensor | None) -> torch.Tensor:
        count, length, width = tokens.shape
        heads = self._in_projection(tokens).view(count, length, 3, self._head_count, width // self._head_count)
        query, key, value = heads.permute(2, 0, 3, 1, 4).unbind(0)
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=attn_mask)
        return attended.transpose(1, 2).reshape(count, length, width)

    def _activated(self, tokens: torch.Tensor) -> torch.Tensor:
        if type(self._activation) is nn.GELU and self._activation.approximate == "none":
            return self._hidden.with_gelu(tokens)
        activated: torch.Tensor = self._activation(self._hidden(tokens))
        return activated

    def _residual(self, part: int, layer: _PackedLinear, rows: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        scale = self._scales[part]
        if isinstance(scale, nn.Identity):
            return layer.added(rows, tokens)
        scaled: torch.Tensor = scale(layer(rows))
        return tokens + scaled
