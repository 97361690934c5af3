"""A shop that plays: orders and tracking through real Kafka, judged from the outside."""
