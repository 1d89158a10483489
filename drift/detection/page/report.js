"use strict";
const table = document.querySelector("table.features");
if (table) {
  document.body.classList.add("js");
  const bodies = [...table.tBodies];
  const heads = [...table.tHead.rows[0].cells];

  // Without this script the second row of each feature opens by itself.
  for (const body of bodies) {
    const link = body.querySelector("th > a");
    if (!link) continue;
    const details = body.querySelector("details");
    const button = document.createElement("button");
    button.type = "button";
    button.append(...link.childNodes);
    button.setAttribute("aria-controls", link.hash.slice(1));
    link.replaceWith(button);
    const told = () => button.setAttribute("aria-expanded", details.open);
    button.addEventListener("click", () => { details.open = !details.open; told(); });
    details.addEventListener("toggle", told);
    told();
  }

  const value = (body, column) => {
    const cell = body.rows[0].cells[column];
    return cell.dataset.v === undefined ? cell.textContent.trim().toLowerCase() : Number(cell.dataset.v);
  };
  heads.forEach((head, column) => {
    if (head.className === "distribution") return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const keyed = bodies.map((body) => [value(body, column), body]);
      keyed.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0) * (up ? 1 : -1));
      table.append(...keyed.map(([, body]) => body));
    });
  });

  const search = document.getElementById("search");
  search.closest("p").hidden = false;
  const texts = bodies.map((body) => body.rows[0].textContent.toLowerCase());
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    bodies.forEach((body, i) => { body.hidden = !texts[i].includes(wanted); });
    const found = bodies.filter((body) => !body.hidden).length;
    document.getElementById("found").textContent = wanted ? `${found} of ${bodies.length} features` : "";
  });

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const each of closed) each.open = true;
  });
  addEventListener("afterprint", () => { for (const each of closed) each.open = false; });
}
