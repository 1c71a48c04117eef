"""Memory needed to serve a model, computed from its config alone."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PositiveInt, ValidationInfo

from common.strict import Strict

Quantization = Literal["fp8", "awq"]
GIB = 2**30
BITS = {None: 16.0, "fp8": 8.0, "awq": 4.25}
"""Bits per weight inside the layers. AWQ: 4 bits plus a 16-bit scale and a 4-bit zero point per group of 128 weights,
rounded up. Embeddings, norms and the output head stay at 16 bits."""
AWQ_GROUP = 128
KV_BYTES = 2
RUNTIME_GPU = 2 * GIB
"""GPU memory of a server besides weights and KV cache, per GPU: CUDA context, graphs, activations. A conservative
assumption, not measured; vLLM profiles the real value at startup and gives what is left to the KV cache."""
RUNTIME_IN_PROCESS = GIB
"""Main memory that Transformers needs for a model besides weights and KV cache. A conservative assumption."""
RUNTIME_CPU = int(1.8 * GIB)
"""Main memory of a server besides weights and KV cache: Python, torch and vLLM in three processes."""
TABLES_CPU, TABLES_FP16 = 3.4, 2.3
"""Further memory on top of RUNTIME_CPU, as multiples of the 32-bit embedding table (vocabulary × hidden size): the
first with weights in fp32 (and in bf16, where it is too much), the second in fp16. Fitted to servers on vLLM 0.32 with
tables of 0.1, 0.5 and 0.9 GiB. Beyond weights and KV cache they held 2.2, 3.5 and 4.7 GiB, and with weights in fp16
2.1, 3.0 and 2.7 GiB, of which the last is estimated too high, on purpose."""


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
    """Whether the query, key and value projections have biases (Qwen2)."""
    qk_norm: bool = False
    """Whether the queries and keys of each head are normalised (Qwen3)."""

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
    def read_share(self) -> float:
        """The share of the weights that is read to write one token: all but an input table of its own."""
        table = 0 if self.tie_word_embeddings else self.vocab_size * self.hidden_size
        return 1 - table / self.parameters

    def cpu_runtime_bytes(self, *, fp16_weights: bool) -> int:
        """Main memory of a CPU server besides weights and KV cache."""
        tables = TABLES_FP16 if fp16_weights else TABLES_CPU
        return RUNTIME_CPU + int(tables * 4 * self.vocab_size * self.hidden_size)

    @property
    def kv_bytes_per_token(self) -> int:
        """KV cache bytes of one token over all layers, at 16 bits."""
        return 2 * self.num_hidden_layers * self.num_key_value_heads * self.head_dim * KV_BYTES

    def lora_bytes(self, rank: int, gpus: int = 1, *, fully_sharded: bool = False) -> int:
        """Bytes on each of `gpus` GPUs for a 16-bit adapter of this rank on every linear layer.

        Of each pair A, B the engine shards only the matrix on whose side the layer itself is sharded: B of the query,
        key, value, gate and up projections, A of the output and down projections. The other is replicated on every GPU,
        unless `--fully-sharded-loras` shards it along the rank.
        """
        query, key_value = self.num_attention_heads * self.head_dim, self.num_key_value_heads * self.head_dim
        hidden, inner = self.hidden_size, self.intermediate_size
        cut = (query + 2 * key_value + 2 * inner) + (query + inner)
        whole = 5 * hidden + 2 * hidden
        return 2 * rank * self.num_hidden_layers * (cut // gpus + (whole // gpus if fully_sharded else whole))

    def splits_over(self, gpus: int, quantization: Quantization | None = None) -> bool:
        """Whether tensor parallelism over this many GPUs divides the heads evenly, as vLLM requires, and also the AWQ
        groups: an MLP row of Qwen2.5-72B has 231 of them, which two GPUs cannot divide."""
        heads, key_value = self.num_attention_heads, self.num_key_value_heads
        groups = quantization != "awq" or gpus == 1 or self.intermediate_size % (AWQ_GROUP * gpus) == 0
        return groups and heads % gpus == 0 and (key_value % gpus == 0 or gpus % key_value == 0)


def _named(value: Any, info: ValidationInfo) -> Any:
    known = (info.context or {}).get("architectures", {})
    if isinstance(value, str) and value not in known:
        raise ValueError(f"not one of the architectures: {', '.join(known)}")
    return known[value] if isinstance(value, str) else value


ArchitectureField = Annotated[Architecture, BeforeValidator(_named)]
"""An architecture, or the name of one in the validation context's `architectures`."""


@dataclass(frozen=True)
class Usage:
    """Memory of one server on each of its devices, in bytes."""

    weights: int
    kv_cache: int
    """On GPUs: enough for every stream at full context length (vLLM also takes whatever is left). On CPUs: all that is
    reserved."""
    runtime: int
    limit: int
    """What the server may use on that device."""

    @property
    def total(self) -> int:
        return self.weights + self.kv_cache + self.runtime

    @property
    def left(self) -> int:
        return self.limit - self.total


def kv_bytes_on_each(architecture: Architecture, gpus: int, tokens: int, *, fp8: bool = False) -> int:
    """KV cache of `tokens` tokens on each of `gpus` GPUs; KV heads are replicated if there are more GPUs than heads."""
    at_16_bits = architecture.kv_bytes_per_token * tokens // min(gpus, architecture.num_key_value_heads)
    return at_16_bits // 2 if fp8 else at_16_bits
