"""The two weights of Inter that the PDF embeds (SIL Open Font License 1.1, see OFL.txt).

Whole fonts, not web subsets: with those, WeasyPrint has drawn wrong glyphs for Greek letters and
mathematical signs while the text extracted from the PDF stayed right.
"""
