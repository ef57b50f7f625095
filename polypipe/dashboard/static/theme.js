// The theme, set before anything is drawn: what was chosen here, else what the system prefers, else dark.
(function () {
  let kept = null;
  try { kept = localStorage.getItem("theme"); } catch (error) { /* storage may be forbidden: then nothing is remembered */ }
  const light = kept ? kept === "light" : window.matchMedia("(prefers-color-scheme: light)").matches;
  document.documentElement.dataset.theme = light ? "light" : "dark";
})();
