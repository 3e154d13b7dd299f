"""Imported for its effect: all that subjects need and that takes long to load is loaded."""

from importlib import import_module

from dfbench.subjects.library import library, library_names

for _each in map(library, library_names()):
    if _each.installed:
        for _module in _each.heavy:
            import_module(_module)
