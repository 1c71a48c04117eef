"""What a recipe needs: memory per device and machine, and disk space for checkpoints, before anything is started.

States and checkpoints follow from the number of parameters. Activations and gathers are estimated from the shape of the
model, and `RUNTIME_GB` is an assumption; none of these was measured at 72B.
"""

from typing import NamedTuple

from models.config.memory import Architecture
from traces.training.recipe import Phase, Recipe

GB = 1e9
RUNTIME_GB = 4.0
"""CUDA context, NCCL buffers and fragmentation on each device: a conservative assumption."""


def weight_bytes(recipe: Recipe, *, bf16: bool, gpu: bool) -> int:
    """Bytes per weight of the base in training, 2 (bf16) or 4 (fp32); `bf16`: whether training computes in bf16.

    Trained weights stay fp32, as updates too small for bf16 would be lost; DeepSpeed keeps such a copy itself. The
    frozen base of a LoRA needs none; on a CPU it is fp32 anyway, which was faster.
    """
    return 2 if bf16 and (recipe.launch.deepspeed or (recipe.method == "lora" and gpu)) else 4


def adapter_billions(rank: int, parameters_billion: float) -> float:
    """Billions of parameters of a LoRA on all linear layers, from the size of the base alone.

    A layer's share is about 2·rank/hidden, and hidden grows a little slower than √parameters because depth grows too.
    Fitted: 10 % too few for SmolLM2-135M and Qwen2.5-72B, a fifth too many for Qwen2.5-7B, which is wide and shallow.
    """
    return 0.0009 * rank * parameters_billion**0.6


def trained_billions(recipe: Recipe) -> float:
    """Billions of parameters that the optimiser changes."""
    if recipe.method == "lora":
        return adapter_billions(recipe.adapter.rank, recipe.parameters_billion)
    return recipe.parameters_billion


def memory_gb(recipe: Recipe, bytes_each: int, stage: int, *, offloaded: bool = False) -> float:
    """Weights, gradients and optimiser states on one device in GB; activations come on top.

    offloaded: the optimiser states are in main memory instead (`host_gb`).
    AdamW takes 16 bytes per trained parameter: fp32 weight, gradient and two moments or, with 2-byte weights, bf16
    weight and gradient, fp32 master weight and two moments (ZeRO, arXiv 1910.02054, section 3.1). A frozen parameter
    takes `bytes_each`, see `weight_bytes`. ZeRO shards the states from `stage` 1 on, gradients from 2 on, weights at 3.
    """
    trained = trained_billions(recipe)
    frozen = recipe.parameters_billion if recipe.method == "lora" else 0.0
    states = 0.0 if offloaded else (16 - 2 * bytes_each) * trained
    parts = (states, bytes_each * trained, bytes_each * (trained + frozen))
    devices = recipe.launch.devices
    return sum(part / (devices if stage >= number else 1) for number, part in enumerate(parts, start=1))


class Activations(NamedTuple):
    """Estimated activations of one device, in GB, for a batch of rows of the phase's maximum length."""

    saved: float
    """Kept from the forward pass until the backward pass."""
    working: float
    """One layer while it is recomputed and its gradients are formed; 0 where nothing is recomputed."""
    head: float
    """Logits, which TRL computes in small tiles for rows, but in full for preference pairs."""


def activations(recipe: Recipe, phase: Phase, shape: Architecture) -> Activations:
    """Estimated from what a layer keeps for its backward pass, in numbers of 16 bits a token, with an attention that
    stores no matrix of scores (sdpa, FlashAttention): its two normed inputs (each also in fp32), queries, keys, values,
    the attention's output, the two residual sums, and four vectors of the gated MLP. Compare Korthikanti et al.,
    arXiv 2205.05198, section 4, which counts the same for an MLP without a gate.

    With gradient checkpointing only each layer's input is kept, and one layer at a time is made anew.
    """
    tokens = phase.batch_size * phase.max_length / recipe.launch.sequence_parallel
    hidden, inner = shape.hidden_size, shape.intermediate_size
    query, key_value = shape.num_attention_heads * shape.head_dim, shape.num_key_value_heads * shape.head_dim
    layer = 2 * (2 * hidden + 2 * query + 2 * key_value + 2 * hidden + 4 * inner) + 4 * 2 * hidden
    if phase.beta:
        tokens *= 2  # the chosen and the rejected reply
    head = 2 * 4 * tokens * shape.vocab_size / GB if phase.beta else 0.0
    layers = shape.num_hidden_layers
    if recipe.launch.gradient_checkpointing:
        return Activations(2 * hidden * layers * tokens / GB, layer * tokens / GB, head)
    return Activations(layer * layers * tokens / GB, 0.0, head)


def gathered_gb(shape: Architecture, bytes_each: int, stage: int) -> float:
    """Estimate of what ZeRO-3 gathers on each device during computation, in GB: the weights of a layer and, prefetched,
    of the next one, the gradients of one, and the larger of the two embedding tables. 0 below stage 3."""
    if stage < 3:
        return 0.0
    layer = shape.layer_parameters / shape.num_hidden_layers
    return bytes_each * (3 * layer + shape.vocab_size * shape.hidden_size) / GB


def checkpoint_gb(recipe: Recipe, bytes_each: int) -> float:
    """One checkpoint: the weights as they are saved, and the optimiser's copy and two moments, in GB."""
    trained = trained_billions(recipe)
    return (16 - bytes_each) * trained


def result_gb(recipe: Recipe, bytes_each: int) -> float:
    """What a phase leaves for the next one: the adapter or the model, in GB."""
    return bytes_each * trained_billions(recipe)


def disk_gb(recipe: Recipe, bytes_each: int) -> float:
    """Disk space for the whole run, in GB: the kept checkpoints of one phase, one more while it is being written, and
    the result of each phase. Phases with a time limit may keep their checkpoints while later ones run."""
    ended = sum(phase.max_minutes is not None for phase in recipe.phases[:-1])
    checkpoints = recipe.keep_checkpoints * (1 + ended) + 1
    return checkpoints * checkpoint_gb(recipe, bytes_each) + len(recipe.phases) * result_gb(recipe, bytes_each)


def host_gb(recipe: Recipe, bytes_each: int, stage: int, saved: float, *, offloaded: bool) -> float:
    """Main memory of the first machine, in GB: offloaded states and activations and, with ZeRO-3, the whole model,
    which the first process gathers to save it."""
    there = recipe.launch.devices / recipe.launch.machines
    states = (16 - 2 * bytes_each) * trained_billions(recipe) / recipe.launch.devices if offloaded else 0.0
    whole = bytes_each * recipe.parameters_billion if stage >= 3 else 0.0
    return there * (states + (saved if recipe.launch.activation_offload else 0.0)) + whole
