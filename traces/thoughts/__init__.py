"""The four ways to a long thought: search, teacher, debate, people."""
