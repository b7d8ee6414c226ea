"""The parts of bench.py: what to run (table, programs, allocators), how to run it (execute, rounds), how to show it."""
