"""The arena without its user interface: a battle's turns and their streaming replies. Does not import gradio."""
