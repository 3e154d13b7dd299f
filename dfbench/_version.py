"""The version, where every layer can import it; `pyproject.toml` reads it from here."""

__version__ = "0.1.0"
