"""What all services share: consume, fence, outbox, relay, settings. Knows no service."""
