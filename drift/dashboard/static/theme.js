// The reader's theme, set before anything is painted: the system's, unless they chose light or dark here.
"use strict";

(() => {
  const root = document.documentElement;
  const show = (theme) => {
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
    root.dispatchEvent(new Event("themechange"));
  };
  // A browser that keeps nothing for this page still switches it.
  const kept = (write) => {
    try {
      write?.(localStorage);
      return localStorage.getItem("drift-theme");
    } catch {
      return null;
    }
  };
  const chosen = ["light", "dark"].find((theme) => theme === kept()) ?? "";
  show(chosen);

  document.addEventListener("DOMContentLoaded", () => {
    const select = document.getElementById("theme");
    select.value = chosen;
    select.closest("label").hidden = false;
    select.addEventListener("change", () => {
      kept((storage) => storage.setItem("drift-theme", select.value));
      show(select.value);
    });
  });
})();
