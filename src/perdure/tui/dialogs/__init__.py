"""Questions and texts that open over a screen."""
