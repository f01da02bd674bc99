"""From values to the sections of a report."""
