"""How Orderflow is run: image, compose file, and the local stack of real servers."""
