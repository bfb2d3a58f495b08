"""What `scripts/bench` is made of: contenders, load, measuring, the report."""
