"""Decisions of the deliveries service: values in, decisions out."""
