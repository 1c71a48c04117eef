"""Benchmarks of the app, each against a real reference in the same run: `python -m bench [--quick] [section …]`.

Nothing here is imported by the app.
"""
