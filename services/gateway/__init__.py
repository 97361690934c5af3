"""Gateway: takes commands of shops and tracking of carriers over HTTP and puts them on Kafka."""
