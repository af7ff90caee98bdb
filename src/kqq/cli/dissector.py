"""`kqq dissector`: the protocol for Wireshark."""
