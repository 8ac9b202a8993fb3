"""Talking from the command line: plain lines, one turn, a visit."""
