"""karrio's tracking parsers beside ours, on the corpus of carriers: `make bench-karrio`."""
