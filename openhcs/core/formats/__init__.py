"""Readers of microscopes' plate folders, one module a format."""
