"""Messages: Kafka records, their headers and their JSON bodies."""
