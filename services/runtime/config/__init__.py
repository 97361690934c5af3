"""Settings, read from the environment and from files."""
