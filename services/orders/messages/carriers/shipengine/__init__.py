"""ShipEngine, now ShipStation API: trackings of its webhooks and of its API."""
