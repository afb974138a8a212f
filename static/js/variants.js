// The editor of words: turns the panels of languages into tabs, adds and removes languages. Without it all stand open.
"use strict";

// words: a [data-variants] that is not yet so. Adds `words.addLanguage()`, which answers the new panel.
function editLanguages(words) {
  const tabs = words.querySelector("[data-tabs]");
  const add = tabs.querySelector("[data-add]");
  const total = words.querySelector(`[name=${words.dataset.prefix}-TOTAL_FORMS]`);
  const changed = () => words.dispatchEvent(new Event("variants", { bubbles: true }));
  const control = (panel, name) => panel.querySelector(`[name$="-${name}"]`);
  let count = 0;

  function show(panel) {
    for (const other of words.querySelectorAll("[data-variant]")) {
      other.hidden = other !== panel;
      other.tab.setAttribute("aria-selected", String(other === panel));
      other.tab.tabIndex = other === panel ? 0 : -1;
    }
  }

  function name(panel) {
    panel.tab.textContent = control(panel, "language").value || panel.dataset.new;
  }

  function remove(panel) {
    const next = [...words.querySelectorAll("[data-variant]")].find((other) => other !== panel && !other.tab.hidden);
    panel.tab.hidden = Boolean(next);
    if (next) show(next);
    else control(panel, "DELETE").checked = false;
    changed();
  }

  function adopt(panel) {
    panel.id = `${words.dataset.prefix}-panel-${count++}`;
    panel.tab = document.createElement("button");
    panel.tab.type = "button";
    panel.tab.setAttribute("role", "tab");
    panel.tab.setAttribute("aria-controls", panel.id);
    panel.tab.addEventListener("click", () => show(panel));
    panel.setAttribute("role", "tabpanel");
    control(panel, "language").addEventListener("input", () => name(panel));
    control(panel, "DELETE").addEventListener("change", () => remove(panel));
    tabs.insertBefore(panel.tab, add);
    name(panel);
  }

  function addLanguage() {
    const html = words.querySelector("[data-blank]").innerHTML.replaceAll("__prefix__", total.value);
    words.insertAdjacentHTML("beforeend", html);
    total.value = Number(total.value) + 1;
    const panel = [...words.querySelectorAll("[data-variant]")].at(-1);
    adopt(panel);
    show(panel);
    return panel;
  }

  tabs.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const shown = [...tabs.querySelectorAll("[role=tab]:not([hidden])")];
    const at = shown.indexOf(document.activeElement);
    if (!step || at < 0) return;
    const next = shown[(at + step + shown.length) % shown.length];
    next.focus();
    next.click();
  });
  add.addEventListener("click", () => control(addLanguage(), "language").focus());
  words.addLanguage = addLanguage;
  const panels = [...words.querySelectorAll("[data-variant]")];
  panels.forEach(adopt);
  tabs.hidden = false;
  show(panels.find((panel) => panel.querySelector(".has-error")) ?? panels[0]);
}

document.querySelectorAll("[data-variants]").forEach(editLanguages);
