"""axe-core beside a page: run over the browser's own protocol, so that the page's policy stays."""

from dataclasses import dataclass
from pathlib import Path

import axe_playwright_python
from playwright.sync_api import Page

CORE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text()
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
# Preloading style sheets is the one thing that axe does by inline style; no rule here needs it.
RUN = """async (only) => {
  for (const each of document.getAnimations()) each.finish();
  const found = await axe.run(document, {
    runOnly: only, resultTypes: ["violations"], preload: false,
  });
  return found.violations.flatMap(({ id, nodes }) => nodes.map((node) => ({
    rule: id, target: node.target.flat().join(" "), why: node.failureSummary, markup: node.html,
  })));
}"""
OPEN = "document.querySelectorAll('details').forEach((each) => { each.open = true; })"


@dataclass(frozen=True, slots=True)
class Finding:
    """What axe holds against one element of a page, on one screen."""

    screen: str
    rule: str
    target: str
    why: str
    markup: str


EVERY_RULE = {"type": "tag", "values": RULES}
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
SCREENS = (
    (390, "light", EVERY_RULE), (390, "dark", COLOURS),
    (1280, "light", COLOURS), (1280, "dark", EVERY_RULE),
)  # fmt: skip
"""A scheme changes colours and nothing else, so each width is held against every rule once."""


def findings(tab: Page) -> list[Finding]:
    """Open what is folded, and return what axe finds on every screen."""
    tab.evaluate(OPEN)
    if not tab.evaluate("'axe' in window"):
        tab.evaluate(CORE)
    found = []
    for width, scheme, only in SCREENS:
        tab.set_viewport_size({"width": width, "height": 900})
        tab.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        found += [Finding(f"{width} {scheme}", **each) for each in tab.evaluate(RUN, only)]
    return found
