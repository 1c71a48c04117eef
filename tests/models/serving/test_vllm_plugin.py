"""Weights in fp16 for processors without bf16 units: vLLM finds the method, and it multiplies as fp32 would."""

import json
import os
import subprocess

import pytest

from models.config.layout import VLLM_PLUGIN
from models.config.machine import this_processor
from models.serving.engine import engine_python

SCRIPT = """
import json
import torch
from vllm.model_executor.layers.quantization import get_quantization_config
from vllm.model_executor.layers.vocab_parallel_embedding import ParallelLMHead
from vllm.plugins import load_general_plugins

load_general_plugins()
load_general_plugins()
method = get_quantization_config("fp16_weights")
quantised = {"quant_method": "torchao"}
assert method.override_quantization_method(quantised, "fp16_weights", hf_config=None) == "torchao"
assert method.override_quantization_method(quantised, None) is None
from arena_fp16 import Fp16Embedding, Fp16Linear

torch.manual_seed(0)
linear, embedding = Fp16Linear.__new__(Fp16Linear), Fp16Embedding()
made = {}
for kind, layer in (("linear", torch.nn.Module()), ("head", ParallelLMHead.__new__(ParallelLMHead))):
    torch.nn.Module.__init__(layer)
    user = linear if kind == "linear" else embedding
    if kind == "head":
        embedding.create_weights(layer, 96, [160], 96, 160, params_dtype=torch.float32)
    else:  # vLLM makes these only within its groups of processes
        layer.weight = torch.nn.Parameter(torch.empty(160, 96, dtype=torch.float16), requires_grad=False)
    assert layer.weight.dtype == torch.float16
    weight = torch.randn(160, 96, dtype=torch.bfloat16)
    layer.weight.data.copy_(weight)
    table = torch.nn.Module()
    table.weight = layer.weight
    embedding.process_weights_after_loading(table)
    user.process_weights_after_loading(layer)
    off = []
    for shape in ((1, 96), (33, 96), (600, 96), (0, 96)):
        x, bias = torch.randn(*shape), torch.randn(160)
        for added in (None, bias):
            exact = torch.nn.functional.linear(x.double(), weight.double(), added if added is None else added.double())
            y = user.apply(layer, x, added)
            assert (y.dtype, y.shape) == (torch.float32, exact.shape)
            off.append(float((y - exact).abs().max()) if len(y) else 0.0)
    made[kind] = {"off": max(off), "left": layer.weight.numel(), "table": table.weight.dtype == torch.float16}
    made[kind]["rows"] = torch.equal(embedding.embedding(table, torch.tensor([5, 7])), weight[[5, 7]].float())
print("FOUND", json.dumps({"name": method().get_name(), **made}))
"""


@pytest.mark.engine
@pytest.mark.skipif(not this_processor().x86, reason="FBGEMM is for x86")
def test_fp16_weights_multiply_as_fp32_would() -> None:
    """bf16 weights are kept exactly, so what is left is the rounding of fp32 sums."""
    environment = {**os.environ, "PYTHONPATH": str(VLLM_PLUGIN), "PYTHONSAFEPATH": "1"}
    argv = [engine_python(lambda _: None), "-c", SCRIPT]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(
        next(line for line in done.stdout.splitlines() if line.startswith("FOUND ")).removeprefix("FOUND ")
    )
    assert found.pop("name") == "fp16_weights"
    assert set(found) == {"linear", "head"}
    for made in found.values():
        assert made["off"] < 1e-4
        assert made["left"] == 0, "FBGEMM has its copy; the loaded one is dropped"
        assert made["table"] and made["rows"], "a shared table is kept for the embedding"
