"""Expressions → a presentation tree → text, LaTeX, MathML."""
