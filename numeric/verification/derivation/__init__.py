"""The check of a derivation: every line that is printed or built on, against the equations."""
