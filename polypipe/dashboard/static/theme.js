// Sets the theme before the first paint: the stored choice, else the system's preference, else dark.
(function () {
  let kept = null;
  try { kept = localStorage.getItem("theme"); } catch (error) { /* storage is forbidden: no stored choice */ }
  const light = kept ? kept === "light" : window.matchMedia("(prefers-color-scheme: light)").matches;
  document.documentElement.dataset.theme = light ? "light" : "dark";
})();
