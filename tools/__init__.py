"""Programs that work on this repository itself; nothing of it is installed or shipped."""
