"""AfterShip: trackings of its webhooks and of its API, versions up to 2026-07."""
