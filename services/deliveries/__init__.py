"""The deliveries service: sends shops' events to their webhooks, in order for each order."""
