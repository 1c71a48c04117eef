"""Importing outputs made elsewhere as runs: plain files and the logs of other harnesses."""
