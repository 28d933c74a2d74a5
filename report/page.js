// Draws each chart into the element of its name. Colors are variables of the style, so nothing is drawn again
// when the color scheme changes or the page is printed.
(async () => {
  const charts = JSON.parse(document.getElementById("charts").textContent);
  for (const [name, spec] of Object.entries(charts)) {
    await vegaEmbed(`#${name}`, spec, { actions: false, ast: true, renderer: "svg" });
  }
  document.body.dataset.drawn = Object.keys(charts).length;
})();
