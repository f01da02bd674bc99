"""One document model, and its writers."""
