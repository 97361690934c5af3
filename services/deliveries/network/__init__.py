"""HTTP requests to addresses that shops name, to public hosts alone."""
