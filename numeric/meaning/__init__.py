"""What expressions mean in numbers: interpreted, compiled, enclosed."""
