"""Kafka records in, one batch and one transaction at a time."""
