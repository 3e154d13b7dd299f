"""Break one formula at a time and see who notices: `python -m benchmarks.mutation`."""
