// Sorting, filtering and opening of claims. Without this script the page shows everything, in the paper's order.
"use strict";
(() => {
  const table = document.querySelector("#claims table");
  const claims = [...table.tBodies];
  const headers = [...table.tHead.rows[0].cells];
  const search = document.getElementById("search");
  const chips = [...document.querySelectorAll("[data-filter]")];
  const toggleAll = document.getElementById("toggle-all");
  const words = new Map(claims.map((claim) => [claim, claim.textContent.toLowerCase().replace(/\s+/g, " ")]));

  const button = (claim) => claim.querySelector(".open");
  const isOpen = (claim) => button(claim).getAttribute("aria-expanded") === "true";
  function open(claim, wanted) {
    button(claim).setAttribute("aria-expanded", String(wanted));
    claim.querySelector(".evidence").hidden = !wanted;
  }

  // Sorting: the claims (whole tbodies) move; equal keys keep the paper's order.
  const key = (claim, column) => {
    const cell = claim.rows[0].cells[column];
    const text = cell.dataset.sort ?? cell.textContent.trim();
    return headers[column].dataset.type === "number" ? Number(text) : text;
  };
  const compare = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true }));
  function sort(column) {
    const header = headers[column];
    const sign = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    headers.forEach((other) => other.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
    table.append(...[...claims].sort((a, b) => sign * compare(key(a, column), key(b, column))));
  }

  // Filtering: every word typed must occur; of the chips pressed in a group, one must fit.
  const pressed = (group) =>
    chips.filter((chip) => chip.dataset.filter === group && chip.getAttribute("aria-pressed") === "true")
      .map((chip) => chip.dataset.value);
  function filter() {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const groups = ["verdict", "kind"].map((group) => [group, pressed(group)]);
    let shown = 0;
    for (const claim of claims) {
      const fits = wanted.every((word) => words.get(claim).includes(word))
        && groups.every(([group, values]) => values.length === 0 || values.includes(claim.dataset[group]));
      claim.hidden = !fits;
      shown += fits;
    }
    document.getElementById("shown").textContent = `${shown} of ${claims.length} claims`;
    document.getElementById("nothing").hidden = shown > 0;
  }
  function reset() {
    search.value = "";
    chips.forEach((chip) => chip.setAttribute("aria-pressed", "false"));
    filter();
  }

  // A link to #id opens the claim, whatever the filter hides.
  function follow() {
    const claim = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!claims.includes(claim)) return;
    if (claim.hidden) reset();
    open(claim, true);
    claim.scrollIntoView();
  }

  headers.forEach((header, column) => {
    const control = document.createElement("button");
    control.type = "button";
    control.append(...header.childNodes);
    control.addEventListener("click", () => sort(column));
    header.append(control);
  });
  claims.forEach((claim) => {
    open(claim, false);
    button(claim).addEventListener("click", () => open(claim, !isOpen(claim)));
  });
  chips.forEach((chip) => chip.addEventListener("click", () => {
    chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true"));
    filter();
  }));
  toggleAll.addEventListener("click", () => {
    const wanted = toggleAll.getAttribute("aria-pressed") !== "true";
    toggleAll.setAttribute("aria-pressed", String(wanted));
    toggleAll.textContent = wanted ? "Close all" : "Open all";
    claims.forEach((claim) => open(claim, wanted));
  });
  search.addEventListener("input", filter);
  document.getElementById("reset").addEventListener("click", reset);
  window.addEventListener("hashchange", follow);
  document.querySelector(".bar").hidden = false;
  filter();
  follow();
})();
