"""Kafka clients, topics, and what goes wrong with them."""
