"""Which roles a model's template takes, and prompts folded into that shape."""
