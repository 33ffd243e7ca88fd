// Lists the visible texts whose contrast with their ground is below WCAG AA: 4.5, or 3 if large.
(() => {
  const numbers = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const over = (top, below) => ({
    r: top.r * top.a + below.r * (1 - top.a),
    g: top.g * top.a + below.g * (1 - top.a),
    b: top.b * top.a + below.b * (1 - top.a),
    a: 1,
  });
  const ground = (element) => {
    const own = numbers(getComputedStyle(element).backgroundColor);
    if (own.a === 1) return own;
    const below = element.parentElement ? ground(element.parentElement) : { r: 255, g: 255, b: 255, a: 1 };
    return over(own, below);
  };
  const light = ({ r, g, b }) => {
    const part = (value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    };
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const faint = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.checkVisibility()) continue;
    if (element.closest(".visually-hidden, script, option, .skip-to-content-link")) continue;
    const style = getComputedStyle(element);
    const below = ground(element);
    const pair = [light(over(numbers(style.color), below)), light(below)].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (isLarge ? 3 : 4.5)) {
      faint.push({ text: texts.currentNode.data.trim().slice(0, 40), ratio: ratio.toFixed(2), colour: style.color });
    }
  }
  return faint;
})()
