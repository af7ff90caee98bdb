"""The protocol for Wireshark, made from the catalogue."""
