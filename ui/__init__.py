"""The page, and the only package that imports gradio: a package for each tab, and pure helpers."""
