"""What faces show, as plain values."""
