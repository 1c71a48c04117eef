"""A plugin for vLLM on x86 processors without bf16 units: weights in fp16, arithmetic in fp32.

A few streams are as fast as the weights can be read. vLLM computes in fp32 there (bf16 would be emulated), and keeps
its weights in fp32 as well, which takes twice the memory and time. A bf16 checkpoint loses nothing in fp16: only
weights below 2⁻¹⁷ may be rounded, by at most 2⁻²⁵. FBGEMM, which torch contains, widens the weights as it multiplies
(speeds: docs/experiments.md). vLLM has no such option of its own.

vLLM loads it in each of its processes by the entry point beside this file, whose folder is on their PYTHONPATH, and
uses it where `--quantization fp16_weights` asks for it.
"""

from typing import Any

import torch
from vllm.model_executor.layers.linear import (
    LinearBase,
    UnquantizedLinearMethod,
    register_weight_loader_v2_supported_method,
)
from vllm.model_executor.layers.quantization import register_quantization_config
from vllm.model_executor.layers.quantization.base_config import QuantizationConfig, QuantizeMethodBase
from vllm.model_executor.layers.vocab_parallel_embedding import (
    ParallelLMHead,
    UnquantizedEmbeddingMethod,
    VocabParallelEmbedding,
)

NAME = "fp16_weights"
ROWS = 256
"""Most rows to multiply at a time: with 1,024, FBGEMM is a third slower."""


class Fp16WeightsConfig(QuantizationConfig):
    """Linear layers, embeddings and the output head have fp16 weights; all else stays as it is."""

    def get_name(self) -> str:
        return NAME

    def get_supported_act_dtypes(self) -> list[torch.dtype]:
        return [torch.float32]

    @classmethod
    def get_min_capability(cls) -> int:
        return -1

    @staticmethod
    def get_config_filenames() -> list[str]:
        return []

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Fp16WeightsConfig":
        return cls()

    @classmethod
    def override_quantization_method(cls, hf_quant_cfg: dict[str, Any], user_quant: str | None, **_: Any) -> str | None:
        """A checkpoint that is quantised already is served as it is."""
        return hf_quant_cfg.get("quant_method") if user_quant == NAME else None

    def get_quant_method(self, layer: torch.nn.Module, prefix: str) -> QuantizeMethodBase | None:
        if isinstance(layer, LinearBase):
            return Fp16Linear()
        if isinstance(layer, VocabParallelEmbedding):
            return Fp16Embedding()
        return None


class Fp16Weights(QuantizeMethodBase):
    """What layers of every kind do with fp16 weights; mixed into vLLM's method for one kind."""

    def create_weights(self, layer: torch.nn.Module, *sizes: Any, **attributes: Any) -> None:
        super().create_weights(layer, *sizes, **attributes)
        weight = layer.get_parameter("weight")
        weight.data = torch.empty_like(weight, dtype=torch.float16)

    def process_weights_after_loading(self, layer: torch.nn.Module) -> None:
        """Give the loaded weights to FBGEMM, which keeps a copy in its own order."""
        layer.packed = torch.ops.quantized.linear_prepack_fp16(layer.weight.float(), None)
        layer.weight = torch.nn.Parameter(torch.empty(0, dtype=torch.float16), requires_grad=False)

    def apply(self, layer: torch.nn.Module, x: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        """x @ weight.T + bias in fp32; x has shape (rows, input size)."""
        parts = [torch.ops.quantized.linear_dynamic_fp16(part, layer.packed) for part in x.split(ROWS)]
        y = parts[0] if len(parts) == 1 else torch.cat(parts)
        return y if bias is None else y.add_(bias)


@register_weight_loader_v2_supported_method
class Fp16Linear(Fp16Weights, UnquantizedLinearMethod):
    pass


class Fp16Embedding(Fp16Weights, UnquantizedEmbeddingMethod):
    """For embeddings and output heads. If both share a table, the embedding keeps it and the head has its copy."""

    def process_weights_after_loading(self, layer: torch.nn.Module) -> None:
        if isinstance(layer, ParallelLMHead):
            super().process_weights_after_loading(layer)

    def embedding(self, layer: torch.nn.Module, input_: torch.Tensor) -> torch.Tensor:
        return super().embedding(layer, input_).float()


def register() -> None:
    """Make the method known to this process; vLLM calls this."""
    register_quantization_config(NAME)(Fp16WeightsConfig)
