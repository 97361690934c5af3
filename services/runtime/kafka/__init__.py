"""Kafka clients and topics, and why a broker cannot be used."""
