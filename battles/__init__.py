"""The arena without a screen: a battle's turns and their replies while they arrive. Knows no gradio."""
