/* Copies a value's placeholder. Without a script, or where the browser forbids it, the text itself can be selected. */
(() => {
  if (!navigator.clipboard) return;
  const show = () => document.querySelectorAll("[data-copy][hidden]").forEach((button) => { button.hidden = false; });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) navigator.clipboard.writeText(button.dataset.copy).catch(() => {});
  });
  document.addEventListener("htmx:after:swap", show);
  show();
})();
