"""Pure numbers: what samples say of one model, of two on the same problems, and of two judges."""
