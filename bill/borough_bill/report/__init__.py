"""The bill on the screen, as HTML and as Markdown, from the same sections and tables."""
