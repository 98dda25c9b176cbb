"""The LIQUID syntax: python-liquid's grammar and nodes, over plain data, within limits.

Only `compiling.py` imports this package, and only for a LIQUID template: a server that has none never loads
python-liquid. What is of LIQUID but needs no library is in `paths.py`, `shape.py` and `limits.py`.
"""
