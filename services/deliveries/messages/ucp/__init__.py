"""The body `ucp`: an order as the Universal Commerce Protocol has it, made of an event."""
