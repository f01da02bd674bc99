"""The gallery of many cells."""
