"""Kafka in: one thin function a topic."""
