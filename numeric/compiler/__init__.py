"""Derivation → program → passes → source → kernel."""
