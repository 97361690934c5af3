"""17TRACK: trackings of its webhooks and of its API, versions 1 to 2.4."""
