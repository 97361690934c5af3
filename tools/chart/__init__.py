"""Generated files of the Helm chart and of the examples: `python -m tools.chart`."""
