"""Tasks to learn, a generator each, with the exact error of guessing."""
