"""Settings of the encoder and their defaults."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from pipeline.config import Settings

__all__ = ["Encoding"]


class Encoding(Settings):
    """Which CLIP model makes the embeddings, where its weights are, and how it computes.

    A relative `checkpoint` or `architecture` is looked for in the working directory, then in the folder that holds the
    `pipeline` package, so that the configurations that come with momentseek work from anywhere.
    """

    class_name: Literal["open_clip"] = Field(default="open_clip", alias="class", exclude=True)
    """"open_clip", or the class of an encoder of your own, which has other settings (docs/how-to/python.md)."""

    model: str = "ViT-B-32"
    """open_clip's name of the architecture; with `architecture`, a name of your own."""

    pretrained: str | None = "laion2b_s34b_b79k"
    """open_clip's tag of the weights. With `checkpoint` it only says which preprocessing they want: null means that of
    the model's published weights where these agree, and OpenAI's elsewhere. With `architecture` it is ignored."""

    checkpoint: str | None = None
    """Weights in a local file, .safetensors or .pt, in place of a download."""

    architecture: str | None = None
    """JSON file of an architecture that open_clip doesn't know; needs `checkpoint`. Either in the form that open_clip
    keeps its own models in ("embed_dim", "vision_cfg", "text_cfg"), or an open_clip_config.json ({"model_cfg": ...,
    "preprocess_cfg": ...}), as in every model repository; without "preprocess_cfg" OpenAI's preprocessing is meant."""

    cache_dir: str | None = None
    """Folder of downloaded weights, in Hugging Face's layout; None for its usual place."""

    device: str = "auto"
    """"auto" (the GPU where there is one), "cpu", "cuda" or "cuda:1"."""

    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Number format of the image tower; the text tower stays in fp32. "auto" is bf16 where the processor has AMX-BF16
    or AVX512-BF16 or the GPU computes in it, and fp32 elsewhere."""

    batch_size: int = Field(default=32, ge=1)
    """Most images or texts in one pass."""

    prompts: tuple[str, ...] = ("{}",)
    """Templates of a text, each with "{}" where the text goes. Their embeddings are averaged and normalised (Radford et
    al. 2021, arXiv:2103.00020, section 3.1.4). By default the text alone, as text-to-video retrieval with CLIP does
    (Portillo-Quintero et al. 2021, arXiv:2102.12443)."""

    long_text: Literal["refuse", "truncate"] = "refuse"
    """What happens to a text with more tokens than the model's context: an error, or its end is left out and a warning
    logged."""

    threads: int | None = Field(default=None, ge=1)
    """Processor threads of one open encoder; None for torch's choice. It holds for the whole process."""

    @field_validator("checkpoint", "architecture", "cache_dir")
    @classmethod
    def _check_path(cls, path: str | None) -> str | None:
        if path is not None and "://" in path:
            raise ValueError("expected a path on this machine, not a URI; copy the file there")
        return path

    @field_validator("prompts")
    @classmethod
    def _check_prompts(cls, prompts: tuple[str, ...]) -> tuple[str, ...]:
        if not prompts:
            raise ValueError('expected at least one prompt, as "{}"')
        for prompt in prompts:
            if prompt.count("{}") != 1:
                raise ValueError(f'a prompt holds "{{}}" once, where the text goes; this one does not: {prompt!r}')
        return prompts

    @model_validator(mode="after")
    def _check_weights(self) -> Encoding:
        if ":" in self.model:
            raise ValueError(
                f"model {self.model!r}: no such prefix here; take open_clip_config.json and the weights from that place"
                " and name them as `architecture` and `checkpoint`"
            )
        if self.architecture is not None and self.checkpoint is None:
            raise ValueError("`architecture` needs `checkpoint`, the weights that belong to it")
        if self.pretrained is None and self.checkpoint is None:
            raise ValueError("no weights: set `pretrained` to one of open_clip's tags, or `checkpoint` to a local file")
        return self
