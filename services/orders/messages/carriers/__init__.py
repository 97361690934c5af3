"""Dialects of tracking messages: one folder each, found by `registry.py`.

A folder has a `parser.py` with `DIALECT`, a `codes.csv`, or both, and `examples/`. No other file
names a dialect. How to add one: docs/recipes/add-a-carrier-dialect.md.
"""
