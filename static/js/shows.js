// Shows a part of a form only for the choice it belongs to. Without it every part is there.
"use strict";

{
  const parts = [...document.querySelectorAll("[data-shown-for]")];
  const chosen = (name) => document.querySelector(`[name=${name}]:checked`)?.value;
  const update = () => {
    for (const part of parts) part.hidden = chosen(part.dataset.shownFor) !== part.dataset.value;
  };
  document.addEventListener("change", update);
  update();
}
