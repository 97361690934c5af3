"""Records, their headers and their JSON."""
