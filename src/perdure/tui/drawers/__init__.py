"""Lists that open beside the conversation: search, and the prompt inspector."""
