"""`kqq infer`: a protocol nobody knows, guessed from its lines."""
