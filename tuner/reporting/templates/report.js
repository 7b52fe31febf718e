"use strict";
(() => {
  const PAPER_WIDTH = 680; // pixels: A4 within its margins, at 96 a inch
  const plots = [...document.querySelectorAll(".plot")];
  const config = { responsive: true, displaylogo: false, plotlyServerURL: "", // plotly would offer to send the study to its maker
    modeBarButtonsToRemove: ["sendChartToCloud", "lasso2d", "select2d", "autoScale2d"] };
  const byFinger = matchMedia("(pointer: coarse)").matches;

  function draw(plot) {
    if (plot.dataset.drawn) return undefined;
    plot.dataset.drawn = "yes";
    const figure = JSON.parse(document.getElementById(`${plot.id}-data`).textContent);
    if (byFinger) figure.layout.dragmode = false; // a finger on a figure scrolls the page
    return Plotly.newPlot(plot, figure.data, figure.layout, config);
  }

  // plotly takes a tenth of a second for each: draw what is in sight, or will soon be
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      watcher.unobserve(entry.target);
      draw(entry.target);
    }
  }, { rootMargin: "600px" });
  for (const plot of plots) watcher.observe(plot);

  window.drawAll = () => Promise.all(plots.map(draw));

  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const details of folded) details.open = true;
    window.drawAll();
    for (const plot of plots) Plotly.relayout(plot, { width: PAPER_WIDTH });
  });
  addEventListener("afterprint", () => {
    for (const details of folded) details.open = false;
    for (const plot of plots) Plotly.relayout(plot, { width: null, autosize: true });
  });

  function compare(a, b) {
    const difference = Number(a) - Number(b);
    return Number.isNaN(difference) ? a.localeCompare(b) : difference;
  }

  function sortBy(heading) {
    const headings = [...heading.parentElement.children], column = headings.indexOf(heading);
    const down = heading.getAttribute("aria-sort") === "ascending";
    for (const other of headings) other.setAttribute("aria-sort", "none");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = heading.closest("table").tBodies[0];
    const rows = [...body.rows].map((row) => [row.cells[column].dataset.key, row]);
    const filled = rows.filter(([key]) => key !== ""), empty = rows.filter(([key]) => key === "");
    filled.sort(([a], [b]) => (down ? compare(b, a) : compare(a, b)));
    body.append(...[...filled, ...empty].map(([, row]) => row));
  }
  for (const button of document.querySelectorAll("th [role=button]")) {
    button.addEventListener("click", () => sortBy(button.parentElement));
    button.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      sortBy(button.parentElement);
    });
  }
})();
