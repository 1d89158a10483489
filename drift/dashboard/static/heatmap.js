// In the heatmap the arrow keys go from cell to cell; the tab key enters and leaves it once. What a cell stands for, a
// pointer that rests on it shows too.
"use strict";

(() => {
  const table = document.getElementById("heatmap");
  if (!table) return;
  const rows = [...table.tBodies].flatMap((body) => [...body.rows])
    .map((row) => [...row.querySelectorAll("td > a")]).filter((cells) => cells.length);
  if (!rows.length || !rows[0].length) return;
  rows.flat().forEach((cell) => cell.setAttribute("tabindex", "-1"));
  const last = rows[0].length - 1;
  rows[0][last].setAttribute("tabindex", "0");

  table.addEventListener("keydown", (event) => {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const r = rows.findIndex((cells) => cells.includes(document.activeElement));
    if (r < 0) return;
    const c = rows[r].indexOf(document.activeElement);
    let to;
    if (event.key in moves) to = rows[r + moves[event.key][0]]?.[c + moves[event.key][1]];
    else if (event.key === "Home") to = rows[r][0];
    else if (event.key === "End") to = rows[r][last];
    else return;
    event.preventDefault();
    if (!to) return;
    document.activeElement.setAttribute("tabindex", "-1");
    to.setAttribute("tabindex", "0");
    to.focus();
  });

  table.addEventListener("pointerover", ({ target }) => {
    const cell = target.closest("td > a[aria-label]");
    if (cell && !cell.title) cell.title = cell.getAttribute("aria-label");
  });

  // The newest windows stand at the right end.
  const around = table.parentElement;
  around.scrollLeft = around.scrollWidth;
})();
