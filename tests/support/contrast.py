"""How well the words of a page stand out from what is behind them."""

from __future__ import annotations

CONTRASTS = """selector => {
    const parse = text => {
        const [r, g, b, a = 1] = text.replace("(srgb", "").match(/[\\d.]+/g).map(Number);
        const scale = text.startsWith("color(srgb") ? 255 : 1;
        return [r * scale, g * scale, b * scale, a];
    };
    const over = ([r, g, b, a], back) =>
        [r, g, b].map((part, index) => part * a + back[index] * (1 - a));
    const background = element => {
        const layers = [];
        for (let one = element; one; one = one.parentElement) {
            layers.push(parse(getComputedStyle(one).backgroundColor));
        }
        return layers.reverse().reduce((back, layer) => over(layer, back), [255, 255, 255]);
    };
    const opacity = element => {
        let found = 1;
        for (let one = element; one; one = one.parentElement) {
            found *= Number(getComputedStyle(one).opacity);
        }
        return found;
    };
    const luminance = rgb => {
        const [r, g, b] = rgb.map(part => part / 255)
            .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const found = [];
    for (const root of document.querySelectorAll(selector)) {
        for (const element of root.querySelectorAll("*")) {
            const own = [...element.childNodes].filter(
                node => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
            if (!own.length || !element.checkVisibility()) continue;
            if (element.closest("pre, .nomad-terminal, style")) continue;
            const back = background(element);
            const [r, g, b, a] = parse(getComputedStyle(element).color);
            const front = over([r, g, b, a * opacity(element)], back);
            const [low, high] = [luminance(front), luminance(back)].sort((x, y) => x - y);
            found.push([own[0].textContent.trim().slice(0, 40), (high + 0.05) / (low + 0.05)]);
        }
    }
    return found;
}"""
"""The contrast of each text below some elements, against what is really behind it."""
