"""Answers without a gold answer: judged by a model, rated by people."""
