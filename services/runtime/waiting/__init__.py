"""Items that name an order or a number that is not there yet."""
