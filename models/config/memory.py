"""Memory of a served model, computed from the numbers in its config. Pure arithmetic."""

from dataclasses import dataclass
from typing import Literal

from pydantic import PositiveInt

from common.strict import Strict

Quantization = Literal["fp8", "awq"]
GIB = 2**30
BITS = {None: 16.0, "fp8": 8.0, "awq": 4.25}
"""Bits of a weight inside the layers. AWQ: 4 bits, and a 16-bit scale and 4-bit zero for each group of 128 weights,
rounded up. Embeddings, norms and the output head stay at 16 bits."""
AWQ_GROUP = 128
KV_BYTES = 2
RUNTIME_GPU = 2 * GIB
"""What a server takes on each of its GPUs besides weights and KV cache: CUDA context, graphs, activations. An
assumption on the safe side, not a measurement; vLLM measures it at start and gives what is left to the KV cache."""
RUNTIME_IN_PROCESS = GIB
"""What Transformers takes in main memory for a model besides weights and KV cache. An assumption on the safe side."""
RUNTIME_CPU = int(1.8 * GIB)
"""What a server takes in main memory besides weights and KV cache: Python, torch, vLLM in three processes."""
TABLES_CPU = 3.4
"""What it takes besides that, in 32-bit embedding tables (vocabulary × hidden size). Fitted to three servers in fp32
with vLLM 0.32: beyond weights and KV cache they held 2.2, 3.5 and 4.7 GiB with tables of 0.1, 0.5 and 0.9 GiB."""


class Architecture(Strict):
    """The numbers of a decoder-only transformer with a gated MLP, under the names of its config.json."""

    num_hidden_layers: PositiveInt
    hidden_size: PositiveInt
    intermediate_size: PositiveInt
    num_attention_heads: PositiveInt
    num_key_value_heads: PositiveInt
    head_dim: PositiveInt
    vocab_size: PositiveInt
    tie_word_embeddings: bool
    attention_bias: bool = False
    """Biases on the query, key and value projections (Qwen2)."""
    qk_norm: bool = False
    """Norms of the queries and keys of each head (Qwen3)."""

    @property
    def layer_parameters(self) -> int:
        """Weights inside all linear layers: what quantisation shrinks."""
        query = self.num_attention_heads * self.head_dim
        key_value = 2 * self.num_key_value_heads * self.head_dim
        attention = self.hidden_size * (2 * query + key_value)
        return self.num_hidden_layers * (attention + 3 * self.hidden_size * self.intermediate_size)

    @property
    def other_parameters(self) -> int:
        """Embeddings, output head, norms, biases."""
        tables = self.vocab_size * self.hidden_size * (1 if self.tie_word_embeddings else 2)
        norms = self.hidden_size * (2 * self.num_hidden_layers + 1)
        norms += 2 * self.head_dim * self.num_hidden_layers if self.qk_norm else 0
        width = (self.num_attention_heads + 2 * self.num_key_value_heads) * self.head_dim
        return tables + norms + (self.num_hidden_layers * width if self.attention_bias else 0)

    @property
    def parameters(self) -> int:
        return self.layer_parameters + self.other_parameters

    def weight_bytes(self, quantization: Quantization | None = None) -> int:
        return int(self.layer_parameters * BITS[quantization] / 8) + 2 * self.other_parameters

    @property
    def cpu_runtime_bytes(self) -> int:
        """What a server without a GPU takes besides weights and KV cache."""
        return RUNTIME_CPU + int(TABLES_CPU * 4 * self.vocab_size * self.hidden_size)

    @property
    def kv_bytes_per_token(self) -> int:
        """Key and value of one token in every layer, at 16 bits."""
        return 2 * self.num_hidden_layers * self.num_key_value_heads * self.head_dim * KV_BYTES

    def lora_bytes(self, rank: int, gpus: int = 1, *, fully_sharded: bool = False) -> int:
        """An adapter of this rank on every linear layer at 16 bits, on each of `gpus` GPUs.

        Of each pair of matrices the engine cuts only the one whose long side is cut in the layer itself: B of query,
        key, value and the two upper projections of the MLP, A of the output projection and the lower one. The other is
        copied to every GPU, unless `--fully-sharded-loras` cuts it along the rank.
        """
        query, key_value = self.num_attention_heads * self.head_dim, self.num_key_value_heads * self.head_dim
        hidden, inner = self.hidden_size, self.intermediate_size
        cut = (query + 2 * key_value + 2 * inner) + (query + inner)
        whole = 5 * hidden + 2 * hidden
        return 2 * rank * self.num_hidden_layers * (cut // gpus + (whole // gpus if fully_sharded else whole))

    def splits_over(self, gpus: int, quantization: Quantization | None = None) -> bool:
        """Whether tensor parallelism over so many GPUs divides the heads evenly, as vLLM demands, and the groups of
        weights that AWQ gives a scale: Qwen2.5-72B has 231 in a row of its MLP, which no second GPU can share."""
        heads, key_value = self.num_attention_heads, self.num_key_value_heads
        groups = quantization != "awq" or gpus == 1 or self.intermediate_size % (AWQ_GROUP * gpus) == 0
        return groups and heads % gpus == 0 and (key_value % gpus == 0 or gpus % key_value == 0)


@dataclass(frozen=True)
class Usage:
    """Memory of one server on each of its devices, in bytes."""

    weights: int
    kv_cache: int
    """On GPUs: at full context length times the number of streams, and vLLM takes what is left as well. On CPUs: all
    that is reserved."""
    runtime: int
    limit: int
    """What the server may take there."""

    @property
    def total(self) -> int:
        return self.weights + self.kv_cache + self.runtime

    @property
    def left(self) -> int:
        return self.limit - self.total


def kv_bytes_on_each(architecture: Architecture, gpus: int, tokens: int, *, fp8: bool = False) -> int:
    """KV cache of `tokens` tokens on each of `gpus` GPUs; heads are copied where there are more GPUs than heads."""
    at_16_bits = architecture.kv_bytes_per_token * tokens // min(gpus, architecture.num_key_value_heads)
    return at_16_bits // 2 if fp8 else at_16_bits
