"""The transactional outbox: rows in Postgres and the relay that publishes them to Kafka."""
