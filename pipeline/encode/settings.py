"""Settings of the encoder and their defaults."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from pipeline.config import Settings

__all__ = ["Encoding"]


class Encoding(Settings):
    """The CLIP model that makes embeddings, the source of its weights, and how it is run.

    A relative `checkpoint` or `architecture` is looked for in the working directory, then in the folder that contains
    the `pipeline` package, so that the configurations that come with momentseek work in any folder.
    """

    class_name: Literal["open_clip"] = Field(default="open_clip", alias="class", exclude=True)
    """"open_clip", or the class of an encoder of your own, which has other settings (docs/how-to/python.md)."""

    model: str = "ViT-B-32"
    """open_clip's name of the architecture; with `architecture`, a name of your own."""

    pretrained: str | None = "laion2b_s34b_b79k"
    """open_clip's tag of the weights. With `checkpoint`, it only determines the preprocessing: null means that of the
    model's published weights if they agree, else OpenAI's. With `architecture`, it is ignored."""

    checkpoint: str | None = None
    """Local file with weights, .safetensors or .pt, instead of a download."""

    architecture: str | None = None
    """JSON file of an architecture that open_clip does not have; needs `checkpoint`. Its format is either that of
    open_clip's own model configurations ("embed_dim", "vision_cfg", "text_cfg"), or that of open_clip_config.json in
    model repositories ({"model_cfg": ..., "preprocess_cfg": ...}). Without "preprocess_cfg", OpenAI's preprocessing is
    used."""

    cache_dir: str | None = None
    """Folder of downloaded weights, in Hugging Face's layout; null for Hugging Face's default folder."""

    device: str = "auto"
    """"auto" (the GPU if there is one), "cpu", "cuda" or "cuda:1"."""

    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Number format of the image tower; the text tower always uses fp32. "auto" is bf16 if the GPU supports it or the
    processor has AMX-BF16 or AVX512-BF16, else fp32."""

    batch_size: int = Field(default=32, ge=1)
    """Maximum number of images or texts in one pass."""

    prompts: tuple[str, ...] = ("{}",)
    """Templates for texts, each with "{}" in the place of the text. Their embeddings are averaged and normalised
    (Radford et al. 2021, arXiv:2103.00020, section 3.1.4). The default is the text alone, as usual in text-to-video
    retrieval with CLIP (Portillo-Quintero et al. 2021, arXiv:2102.12443)."""

    long_text: Literal["refuse", "truncate"] = "refuse"
    """Treatment of a text with more tokens than the model's context: "refuse" is an error, "truncate" cuts off its end
    and logs a warning."""

    threads: int | None = Field(default=None, ge=1)
    """Number of processor threads of an open encoder; null for torch's default. It applies to the whole process."""

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
                raise ValueError(f'a prompt must contain "{{}}" once, for the text; this one does not: {prompt!r}')
        return prompts

    @model_validator(mode="after")
    def _check_weights(self) -> Encoding:
        if ":" in self.model:
            raise ValueError(
                f"model {self.model!r}: names with a prefix are not supported; download open_clip_config.json and the"
                " weights from that place, and set `architecture` and `checkpoint` to these files"
            )
        if self.architecture is not None and self.checkpoint is None:
            raise ValueError("`architecture` needs `checkpoint`, the weights that belong to it")
        if self.pretrained is None and self.checkpoint is None:
            raise ValueError("no weights: set `pretrained` to one of open_clip's tags, or `checkpoint` to a local file")
        return self
