"""Both models served by Transformers inside the page's process: on ZeroGPU, and wherever vLLM does not run."""
