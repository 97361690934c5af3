"""The pure heart of the orders service: values and decisions, no I/O, clock or randomness."""
