"""What an eye would see at once on a page with figures: text that is cut off, that lies on other text, or that is too pale."""

from typing import Any

from playwright.sync_api import Page

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)></script>"

_CUT_OFF = """(scope) => {
  const found = [];
  for (const plot of document.querySelectorAll(`${scope} .js-plotly-plot`)) {
    const frame = plot.getBoundingClientRect();
    for (const text of plot.querySelectorAll("svg text")) {
      const box = text.getBoundingClientRect();
      if (!box.width || !text.textContent.trim() || text.closest(".hoverlayer, .modebar")) continue;
      if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1)
        found.push(`${plot.id}: ${text.textContent}`);
    }
  }
  return found;
}"""

_OVERLAPPING = """(scope) => {
  const found = [];
  for (const plot of document.querySelectorAll(`${scope} .js-plotly-plot`)) {
    const shown = [...plot.querySelectorAll("svg text")].filter((text) =>
      text.textContent.trim() && !text.closest(".hoverlayer, .modebar") && text.getBoundingClientRect().width &&
      getComputedStyle(text).opacity !== "0" && !/rotate/.test(text.getAttribute("transform") || ""));
    const boxes = shown.map((text) => text.getBoundingClientRect());
    for (let i = 0; i < boxes.length; i++) for (let j = i + 1; j < boxes.length; j++) {
      const [a, b] = [boxes[i], boxes[j]];
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (wide > 2 && high > 3) found.push(`${plot.id}: ${shown[i].textContent} | ${shown[j].textContent}`);
    }
  }
  return found;
}"""

# WCAG 2.2, 1.4.3: relative luminances of the text's colour on what lies behind it
_PALE = """() => {
  const parse = (color) => {
    const [r, g, b, a = 1] = (color.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
    return [r, g, b, a];
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((part, i) => part * a + below[i] * (1 - a));
  const luminance = (color) => {
    const [r, g, b] = color.map((part) => {
      const share = part / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.getClientRects().length || element.closest("script, style, noscript")) continue;
    const style = getComputedStyle(element);
    let color = parse(element instanceof SVGElement ? style.fill : style.color);
    for (let at = element; at; at = at.parentElement) color[3] *= Number(getComputedStyle(at).opacity);
    if (element instanceof SVGElement) color[3] *= Number(style.fillOpacity);
    if (color[3] === 0) continue;
    const ground = behind(element instanceof SVGElement ? element.closest("svg").parentElement : element);
    const [a, b] = [luminance(over(color, ground)), luminance(ground)].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < 4.5) found.push(`${contrast.toFixed(2)}: ${element.textContent.slice(0, 60)}`);
  }
  return found;
}"""


def cut_off_texts(page: Page, scope: str = "body") -> list[str]:
    """Texts of figures that do not lie within their figure's box."""
    return _strings(page.evaluate(_CUT_OFF, scope))


def overlapping_texts(page: Page, scope: str = "body") -> list[str]:
    """Pairs of level texts of one figure that lie on each other: ticks, legends, titles, annotations."""
    return _strings(page.evaluate(_OVERLAPPING, scope))


def pale_texts(page: Page) -> list[str]:
    """Texts whose contrast is below 4.5 : 1."""
    return _strings(page.evaluate(_PALE))


def goes_sideways(page: Page) -> bool:
    """Whether the page as a whole scrolls to the side."""
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))


def _strings(found: Any) -> list[str]:
    return [str(text) for text in found]
