"""Charts, for pages and for files.

matplotlib draws all of them: one drawing gives the SVG within a page and the SVG, PDF or PNG beside
it. In a page its colours become custom properties of the style sheet, so that a chart follows the
light, the dark and the printed page, and text stays text. Importing this module does not load it.
"""
