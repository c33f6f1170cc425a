"""The rules of normalising and routing: no HTTP, no Kafka consumer, no SQL."""
