"""The auditor audited: claims whose answer is known, put through the same decision as any other."""
