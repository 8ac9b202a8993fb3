"""The chunk format: conversations as Markdown files."""
