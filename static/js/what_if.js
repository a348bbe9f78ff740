/* Answers while a slider moves, by asking the same page; without it the form has a button. */

const form = document.getElementById("what-if");
let waiting = null;
let asked = null;

const refresh = async () => {
  asked?.abort();
  asked = new AbortController();
  const address = `?${new URLSearchParams(new FormData(form))}`;
  try {
    const response = await fetch(address, { signal: asked.signal });
    if (!response.ok || response.redirected) return location.assign(address);
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const id of ["kept", "risen"]) {
      document.getElementById(id).replaceChildren(...fresh.getElementById(id).childNodes);
      document.getElementById(id).classList.remove("is-old");
    }
    const [here, there] = [document.getElementById("n"), fresh.getElementById("n")];
    here.max = there.max;
    here.value = there.value;
    here.disabled = there.disabled;
    form.querySelector("output[for=n]").value = there.value;
    history.replaceState(null, "", address);
  } catch (error) {
    if (error.name !== "AbortError") form.classList.remove("is-live");
  }
};

if (form) {
  form.classList.add("is-live");
  form.addEventListener("input", (event) => {
    const shown = form.querySelector(`output[for=${event.target.id}]`);
    if (shown) shown.value = event.target.value;
    document.getElementById(event.target.id === "points" ? "kept" : "risen").classList.add("is-old");
    clearTimeout(waiting);
    waiting = setTimeout(refresh, 120);
  });
}
