"""The door for browsers: pages, an API for people and operators, and lines over a WebSocket."""
