"""The runs of an audit: which stacks there must be, how each is made and asked, and what they
answer."""
