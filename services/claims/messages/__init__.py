"""Messages of the claims service, decoded and encoded."""
