"""Draws diagrams by mermaidx, which has Mermaid itself and a small browser to run it in.

Its browser looks for the font of each word anew: it walks the whole document for the style sheet, and reads every
selector of it again. For nineteen tables with their columns that took minutes. Here the first element that matches is
the end of a walk, and a selector is read once; what is drawn is the same.
"""

from __future__ import annotations

import mermaidx
from mermaidx.engines import quickjs_engine

_QUICKER = r"""
(function () {
  const isTag = /^[a-z]+$/;
  globalThis.__querySelector = (root, selector) => {
    for (const child of root.childNodes) {
      if (child.nodeType !== 1) continue;
      const found = isTag.test(selector)
        ? (child.tagName || "").toLowerCase() === selector
        : __matches(child, selector);
      if (found) return child;
      const below = __querySelector(child, selector);
      if (below) return below;
    }
    return null;
  };
  const once = (read) => {
    const known = new Map();
    return (text) => {
      if (!known.has(text)) known.set(text, read(text));
      return known.get(text);
    };
  };
  globalThis.__parseComplex = once(__parseComplex);
  const parts = once((list) => __splitTopLevel(list.trim(), (c) => c === ",").map(([part]) => part.trim()));
  globalThis.__matches = (element, list) => parts(list).some((part) => __matchesSimple(element, part));
})();
"""
_scripts = quickjs_engine.context_scripts
quickjs_engine.context_scripts = lambda: (*_scripts(), _QUICKER)


def svg_of(diagram: str) -> str:
    """The drawing of a diagram in Mermaid's language, as an SVG."""
    drawn: str = mermaidx.render(diagram).svg()
    return drawn
