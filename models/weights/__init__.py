"""Turns a source of weights into a folder on this machine."""
