"""What each command does to an order."""
