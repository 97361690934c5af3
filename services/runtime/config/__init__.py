"""Settings, and how they are read from the environment and from files."""
