"""`kqq diagram` and `kqq report`: what was said, as pictures."""
