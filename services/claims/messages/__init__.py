"""Messages of claims, decoded and encoded."""
