"""What an order weighs and costs on real servers: the figures of `orderflow capacity`."""
