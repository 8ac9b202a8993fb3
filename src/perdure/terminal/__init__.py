"""What every face shares about terminals: the sanitiser, glyphs, colour."""
