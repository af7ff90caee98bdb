"""Captures, logs and plays without the people in them."""
