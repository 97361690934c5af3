"""The command line of Orderflow: `orderflow`, or `python -m orderflow`."""
