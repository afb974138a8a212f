// Shows a part of a form only for the choices it belongs to. Without it every part is there.
"use strict";

{
  const parts = [...document.querySelectorAll("[data-shown-for]")];
  const chosen = (name) => document.querySelector(`[name=${name}]:checked, select[name=${name}]`)?.value;
  const update = () => {
    for (const part of parts) part.hidden = !part.dataset.value.split(" ").includes(chosen(part.dataset.shownFor));
  };
  document.addEventListener("change", update);
  update();
}
