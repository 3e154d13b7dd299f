"""Break one formula at a time and see whether a claim notices: `python -m benchmarks.mutation`."""
