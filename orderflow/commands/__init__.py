"""One module for each command of `orderflow`."""
