"""The parts of scripts/demo.py. Python's standard library only."""
