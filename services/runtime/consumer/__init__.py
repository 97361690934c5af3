"""Polls Kafka, and applies the records in batches of one transaction each."""
