"""The tests on every supported Python that is here: `python -m tests.versions`."""
