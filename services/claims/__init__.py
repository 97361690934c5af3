"""Claims: what customers have to say about their parcels, decided against a copy of the orders."""
