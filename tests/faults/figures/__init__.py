"""Figures for docs/reliability.md, measured by hand: `python -m tests.faults.figures --help`."""
