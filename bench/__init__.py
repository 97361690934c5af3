"""The benchmark: `make bench`. What it measures and how is in docs/performance.md."""
