"""The report's one HTML template, its style sheet and the summary in Markdown."""
