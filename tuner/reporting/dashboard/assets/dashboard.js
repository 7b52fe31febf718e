// What only the page knows: where its reader has zoomed to, and which trial has been brought into view.
window.dash_clientside = window.dash_clientside || {};
window.dash_clientside.tuner = {
  // A figure drawn anew, with the zoom of the one that is shown. Plotly's uirevision would do that, but Dash's Graph writes a
  // zoom into its own figure, so that plotly takes it for what the server had said before and not for its reader's wish.
  keepZoom: (fresh, shown) => {
    if (!fresh) return window.dash_clientside.no_update;
    const before = shown && shown.layout ? shown.layout : {};
    const layout = { ...fresh.layout };
    if (before.uirevision !== layout.uirevision) return fresh;
    for (const [name, axis] of Object.entries(before))
      if (/^[xy]axis\d*$/.test(name) && axis.autorange === false && axis.range)
        layout[name] = { ...layout[name], range: axis.range, autorange: false };
    if (before.dragmode) layout.dragmode = before.dragmode;
    return { ...fresh, layout };
  },
  // A trial that was chosen far above or below is brought into view, once.
  bringIntoView: (seen) => {
    const chosen = seen ? seen.slice(0, 2).join("/") : null;
    if (chosen && chosen !== window.tunerTrial)
      requestAnimationFrame(() => document.getElementById("trial-panel").scrollIntoView({ block: "start" }));
    window.tunerTrial = chosen;
    return window.dash_clientside.no_update;
  },
};
