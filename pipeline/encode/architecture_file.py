"""Validation of architecture files: accepts only numbers and choices, nothing that loads, downloads or runs code.

open_clip passes parts of such a file to other libraries. `tokenizer_kwargs` and `hf_tokenizer_name` go to Hugging
Face's AutoTokenizer, which can run code from a repository or folder, `hf_model_name` goes to AutoModel, `bpe_path` in
`tokenizer_kwargs` to `open`, and a timm name with a prefix is loaded from a hub or folder. The keys accepted here are
those of open_clip 3.3's `CLIPVisionCfg`, `CLIPTextCfg` and `MultimodalCfg` that do none of this.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.config import Settings, validate
from pipeline.errors import ConfigError
from pipeline.parsing import parse_json, read_bytes

__all__ = ["ModelFile", "read_architecture"]

# The configurations of open_clip have up to 1 kB.
_MAX_FILE_BYTES = 2**18
_TIMM_NAME = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)?")
# Size of a table of position embeddings: that of open_clip's largest image tower has 2.4 million numbers.
_MAX_POSITION_WEIGHTS = 2**26
_EXTERNAL_NAME = (
    "an architecture file cannot refer to another model, tokenizer, folder or hub. If open_clip has this network, set"
    " encoder.model to its name, leave out encoder.architecture, and keep encoder.checkpoint"
)

# The widest tower that open_clip lists has 4096 after its hidden layers, the deepest 56 layers.
_Width = Annotated[int, Field(ge=1, le=8192)]
_Layers = Annotated[int, Field(ge=1, le=128)]
_Heads = Annotated[int, Field(ge=1, le=256)]
_Side = Annotated[int, Field(ge=1, le=1024)]
_Ratio = Annotated[float, Field(gt=0, le=16)]
_Share = Annotated[float, Field(ge=0, lt=1)]
_Token = Annotated[int, Field(ge=-1, le=2_000_000)]
_Finite = Annotated[float, Field(ge=-1000, le=1000)]


class _ActivationOptions(Settings):
    approximate: Literal["none", "tanh"] = "none"


class _NormOptions(Settings):
    eps: Annotated[float, Field(gt=0, le=1)] = 1e-5


class _TokenizerOptions(Settings):
    clean: Literal["canonicalize", "lower", "whitespace"] = "lower"


class _TransformerOptions(Settings):
    """The options that the transformers of both towers share."""

    mlp_ratio: _Ratio = 4.0
    ls_init_value: Annotated[float, Field(ge=-1000, le=1000)] | None = None
    final_ln_after_pool: bool = False
    output_tokens: bool = False
    act_kwargs: _ActivationOptions | None = None
    norm_kwargs: _NormOptions | None = None
    block_type: Literal["default", "custom"] | None = None
    qk_norm: bool = False
    scaled_cosine_attn: bool = False
    scale_heads: bool = False
    scale_attn_inner: bool = False
    scale_attn: bool = False
    scale_fc: bool = False


class _ImageTower(_TransformerOptions):
    """The keys of open_clip's `CLIPVisionCfg`."""

    layers: _Layers | tuple[_Layers, _Layers, _Layers, _Layers] = 12
    width: _Width = 768
    head_width: _Width = 64
    patch_size: _Side | None = 16
    image_size: _Side | tuple[_Side, _Side] = 224
    patch_dropout: _Share = 0.0
    attentional_pool: bool = False
    attn_pooler_queries: _Width = 256
    attn_pooler_heads: _Heads = 8
    no_ln_pre: bool = False
    pos_embed_type: Literal["learnable", "sin_cos_2d"] = "learnable"
    pool_type: Literal["tok", "avg"] = "tok"
    timm_model_name: str | None = None
    timm_model_pretrained: bool = False
    timm_pool: (
        Literal["", "avg", "max", "avgmax", "catavgmax", "token", "map", "prr", "abs_attn", "rot_attn"] | None
    ) = "avg"
    timm_proj: Literal["", "linear", "mlp", "none"] | None = "linear"
    timm_proj_bias: bool = False
    timm_drop: _Share = 0.0
    timm_drop_path: _Share | None = None

    @field_validator("timm_model_name")
    @classmethod
    def _check_timm_model_name(cls, name: str | None) -> str | None:
        # `register` checks whether timm has the name when a model is opened, since importing timm imports torch.
        if name and not _TIMM_NAME.fullmatch(name):
            raise ValueError("not a name in timm's own registry; names of hubs and folders are not accepted in a file")
        return name

    @model_validator(mode="after")
    def _check_sizes(self) -> _ImageTower:
        if self.timm_model_name:
            return self
        sides = self.image_size if isinstance(self.image_size, tuple) else (self.image_size, self.image_size)
        if isinstance(self.layers, tuple):
            return self
        if self.patch_size is None or self.patch_size > min(sides):
            raise ValueError(f"patch_size {self.patch_size} does not fit into image_size {self.image_size}")
        positions = (sides[0] // self.patch_size) * (sides[1] // self.patch_size)
        if positions * self.width > _MAX_POSITION_WEIGHTS:
            raise ValueError(f"{positions:,} patches of width {self.width:,} are more than any known network has")
        if self.width % self.head_width:
            raise ValueError(f"head_width {self.head_width} does not divide width {self.width}")
        return self


class _TextTowerOptions(_TransformerOptions):
    """Settings of a text tower: the keys of open_clip's `CLIPTextCfg` that name no model or tokenizer elsewhere."""

    context_length: Annotated[int, Field(ge=4, le=2048)] = 77
    vocab_size: Annotated[int, Field(ge=1, le=2_000_000)] = 49408
    tokenizer_kwargs: _TokenizerOptions | None = None
    width: _Width = 512
    heads: _Heads = 8
    layers: _Layers = 12
    embed_cls: bool = False
    pad_id: _Token = 0
    eos_id: _Token = 2
    no_causal_mask: bool = False
    pool_type: Literal["first", "last", "argmax", "eos"] = "argmax"
    proj_bias: bool = False
    proj_type: Literal["linear", "none"] = "linear"
    hf_tokenizer_name: Literal[""] | None = None
    hf_model_name: Literal[""] | None = None

    @field_validator("hf_tokenizer_name", "hf_model_name", mode="before")
    @classmethod
    def _check_names(cls, name: Any) -> Any:
        if name:
            raise ValueError(_EXTERNAL_NAME)
        return name

    @model_validator(mode="after")
    def _check_heads(self) -> _TextTowerOptions:
        if self.width % self.heads:
            raise ValueError(f"{self.heads} heads do not divide width {self.width}")
        return self


class _Decoder(_TextTowerOptions):
    """The keys of open_clip's `MultimodalCfg` (CoCa)."""

    context_length: Annotated[int, Field(ge=4, le=2048)] = 76
    dim_head: _Width = 64
    n_queries: _Width = 256
    attn_pooler_heads: _Heads = 8


class _NetworkConfig(Settings):
    embed_dim: _Width
    vision_cfg: _ImageTower
    text_cfg: _TextTowerOptions
    multimodal_cfg: _Decoder | None = None
    custom_text: bool = False
    quick_gelu: bool = False
    init_logit_scale: _Finite = 2.6592
    init_logit_bias: _Finite | None = None
    nonscalar_logit_scale: bool = False

    @model_validator(mode="after")
    def _check_kind(self) -> _NetworkConfig:
        is_coca = self.multimodal_cfg is not None
        if is_coca != (self.vision_cfg.output_tokens and self.text_cfg.output_tokens) or (
            self.vision_cfg.output_tokens != self.text_cfg.output_tokens
        ):
            raise ValueError("output_tokens must be set for both towers if there is a multimodal_cfg, else for none")
        if is_coca and not self.custom_text:
            raise ValueError("multimodal_cfg needs custom_text")
        return self


_Colour = Annotated[float, Field(ge=-10, le=10)]
_Spread = Annotated[float, Field(ge=1e-6, le=10)]


class _PreprocessingConfig(Settings):
    """The keys of open_clip's `PreprocessCfg`; `ClipPreprocessing` checks the resize mode and interpolation."""

    size: _Side | tuple[_Side, _Side] | tuple[_Side, _Side, _Side] | None = None
    mode: Literal["RGB"] = "RGB"
    mean: _Colour | tuple[_Colour, _Colour, _Colour] | None = None
    std: _Spread | tuple[_Spread, _Spread, _Spread] | None = None
    interpolation: str | None = Field(default=None, max_length=40)
    resize_mode: str | None = Field(default=None, max_length=40)
    fill_color: Annotated[int, Field(ge=0, le=255)] | None = None


class ModelFile(Settings):
    """The content of an open_clip_config.json."""

    model_cfg: _NetworkConfig
    preprocess_cfg: _PreprocessingConfig = _PreprocessingConfig()
    vocabulary: Any = None
    """The words that the model knows, a key of momentseek; checked by `vocabulary_from`."""


def read_architecture(path: Path, where: str) -> tuple[dict[str, Any], dict[str, Any], Any]:
    """Read and validate an architecture file.

    Args:
        path: The file.
        where: Name of the file in error messages.

    Returns:
        The model_cfg and preprocess_cfg, with the keys that the file has, and the declared vocabulary.

    Raises:
        FileNotFoundError: There is no such file.
        ConfigError: The file is not an architecture, or has a key or value that is not accepted.
    """
    try:
        data = parse_json(read_bytes(path, _MAX_FILE_BYTES, is_regular=True))
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise ConfigError(f"{where}: cannot be read as JSON ({error})") from error
    config = data.get("model_cfg", data) if isinstance(data, dict) else {}
    fields: Mapping[str, Any] = config if isinstance(config, dict) else {}
    missing = [key for key in ("embed_dim", "vision_cfg", "text_cfg") if key not in fields]
    if missing:
        raise ConfigError(
            f"{where}: not an open_clip architecture: {', '.join(missing)} missing at the top or under model_cfg"
        )
    whole = data if "model_cfg" in data else {"model_cfg": data}
    valid = validate(ModelFile, whole, where).model_dump(mode="json", exclude_unset=True)
    model: dict[str, Any] = valid["model_cfg"]
    # open_clip only tests whether these keys are present, so empty ones are removed.
    for section, key in (
        (model, "multimodal_cfg"),
        (model["text_cfg"], "hf_tokenizer_name"),
        (model["text_cfg"], "hf_model_name"),
        (model["text_cfg"], "tokenizer_kwargs"),
        (model["vision_cfg"], "timm_model_name"),
    ):
        if not section.get(key):
            section.pop(key, None)
    if "timm_model_name" in model["vision_cfg"]:
        # All weights come from the checkpoint.
        model["vision_cfg"]["timm_model_pretrained"] = False
    return model, valid.get("preprocess_cfg", {}), valid.get("vocabulary")
