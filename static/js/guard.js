/* Before a page is left on which a form marked data-guard was changed and not kept, the browser asks. */
(() => {
  const changed = new Set();
  const note = (event) => { const form = event.target.closest("form[data-guard]"); if (form) changed.add(form); };
  document.addEventListener("input", note);
  document.addEventListener("click", (event) => { if (event.target.closest("[name=do]")) note(event); }, true);
  document.addEventListener("submit", (event) => { changed.delete(event.target); });
  window.addEventListener("beforeunload", (event) => { if (changed.size) event.preventDefault(); });
})();
