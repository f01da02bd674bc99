"""A file under audit runs in a process of its own."""
