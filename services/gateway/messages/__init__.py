"""From the body of a request to the Kafka records that are published."""
