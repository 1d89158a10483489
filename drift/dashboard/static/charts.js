// Draws the figures that the API describes. Colours are names of the style sheet's variables, so that charts follow
// light and dark; a click on a mark that carries an address goes there.
"use strict";

(() => {
  const coloured = (value, style) => {
    if (typeof value === "string") {
      const name = /^var\((--[a-z-]+)\)$/.exec(value);
      return name ? style.getPropertyValue(name[1]).trim() || "#888" : value;
    }
    if (Array.isArray(value)) return value.map((item) => coloured(item, style));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, coloured(item, style)]));
    }
    return value;
  };

  const narrow = (layout) => {
    if (window.innerWidth >= 700) return layout;
    return { ...layout, margin: { ...layout.margin, l: 62 }, font: { ...layout.font, size: 11 } };
  };

  const draw = async (element, figure) => {
    const { data, layout } = coloured(figure, getComputedStyle(document.documentElement));
    const { paddingLeft, paddingRight } = getComputedStyle(element);
    const width = element.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
    await Plotly.react(element, data, { ...narrow(layout), width }, { displayModeBar: false });
  };

  const start = async (element) => {
    element.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(element.dataset.figure, { credentials: "same-origin" });
      if (!answer.ok) throw new Error((await answer.json()).detail || answer.statusText);
      const figure = await answer.json();
      element.replaceChildren();
      await draw(element, figure);
      element.on("plotly_click", (event) => {
        const to = event.points.map((point) => point.customdata).find((item) => typeof item === "string");
        if (to) window.location.assign(element.dataset.base + to);
      });
      let width = element.clientWidth;
      new ResizeObserver(() => {
        if (element.clientWidth === width) return;
        width = element.clientWidth;
        draw(element, figure);
      }).observe(element);
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(element, figure));
    } catch (error) {
      element.textContent = `The chart could not be drawn (${error.message}); its numbers stand in the tables below.`;
      element.classList.add("empty");
    } finally {
      element.removeAttribute("aria-busy");
    }
  };

  document.querySelectorAll("[data-figure]").forEach(start);
})();
