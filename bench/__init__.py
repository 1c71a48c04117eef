"""What the app costs, measured against something real in the same run: `python -m bench [--quick] [section …]`.

Nothing here is imported by the app.
"""
