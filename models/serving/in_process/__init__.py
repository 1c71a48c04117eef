"""Both models in the page's own process, by Transformers: on ZeroGPU, and wherever vLLM does not run."""
