"""Colours, dashes and symbols that readers tell apart without colour vision or colour print (Okabe and Ito 2008)."""

from __future__ import annotations

ARM_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31")
ARM_DASHES = ([1, 0], [7, 3], [2, 2], [9, 3, 2, 3], [4, 1], [12, 4], [1, 3], [6, 2, 2, 2, 2, 2])
ARM_SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-left", "triangle-right")

VERDICT_COLOURS = {
    "supported": "#00695C",
    "contradicted": "#B23A00",
    "equivalent": "#00579B",
    "inconclusive": "#6B5B00",
    "not tested": "#5F6368",
}
VERDICT_TERMINAL = {
    "supported": "green",
    "contradicted": "red",
    "equivalent": "blue",
    "inconclusive": "yellow",
    "not tested": "dim",
}
VERDICT_SHAPES = {
    "supported": "circle",
    "contradicted": "triangle-down",
    "equivalent": "square",
    "inconclusive": "diamond",
    "not tested": "cross",
}
VERDICT_SYMBOLS = {"supported": "✓", "contradicted": "✗", "equivalent": "=", "inconclusive": "?", "not tested": "–"}
