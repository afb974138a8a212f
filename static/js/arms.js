// The variants of a campaign as tabs: added, duplicated, renamed, removed; their shares; which one the preview shows.
"use strict";

for (const arms of document.querySelectorAll("[data-arms]")) {
  const tabs = arms.querySelector("[data-arm-tabs]");
  const add = tabs.querySelector("[data-add-arm]");
  const total = arms.querySelector("[name=arms-TOTAL_FORMS]");
  const most = Number(arms.dataset.most);
  const panels = () => [...arms.querySelectorAll("[data-arm]")];
  const field = (panel, name) => panel.querySelector(`[name^="arms-"][name$="-${name}"]`);
  const languages = (panel) => [...panel.querySelectorAll("[data-variant]")].filter((one) => !one.tab.hidden);
  const control = (variant, name) => variant.querySelector(`[name$="-${name}"]`);
  const shown = () => panels().find((panel) => !panel.hidden);

  function show(panel) {
    for (const other of panels()) {
      other.hidden = other !== panel;
      other.tab.setAttribute("aria-selected", String(other === panel));
      other.tab.tabIndex = other === panel ? 0 : -1;
    }
    arms.querySelector("[name=shown_words]").value = panel.dataset.words;
    arms.dispatchEvent(new Event("variants", { bubbles: true }));
  }

  function name(panel) {
    panel.tab.textContent = field(panel, "key").value || panel.dataset.new;
  }

  // One variant is nothing to compare: then its name and share say nothing either.
  function settle() {
    const all = panels();
    for (const panel of all) panel.querySelector("[data-arm-head]").hidden = all.length < 2;
    for (const panel of all) panel.tab.hidden = all.length < 2;
    for (const part of document.querySelectorAll("[data-needs-arms]")) part.hidden = all.length < 2;
    add.hidden = all.length >= most;
    for (const button of arms.querySelectorAll("[data-duplicate-arm]")) button.hidden = add.hidden;
    tellSum();
  }

  function tellSum() {
    const sum = panels().reduce((before, panel) => before + Number(field(panel, "share").value || 0), 0);
    for (const line of arms.querySelectorAll("[data-sum]")) {
      line.hidden = sum === 100;
      line.textContent = line.dataset.sum.replace("{sum}", sum);
    }
  }

  function shareEvenly() {
    const all = panels();
    all.forEach((panel, number) => {
      field(panel, "share").value = Math.floor(100 / all.length) + (number < 100 % all.length ? 1 : 0);
    });
    tellSum();
  }

  function adopt(panel) {
    panel.id = panel.dataset.words + "-arm";
    panel.tab = document.createElement("button");
    panel.tab.type = "button";
    panel.tab.setAttribute("role", "tab");
    panel.tab.setAttribute("aria-controls", panel.id);
    panel.tab.addEventListener("click", () => show(panel));
    panel.setAttribute("role", "tabpanel");
    panel.querySelector("[data-arm-actions]").hidden = false;
    const remove = panel.querySelector("[data-arm-head] [data-delete]");
    if (remove) remove.hidden = true;
    field(panel, "key").addEventListener("input", () => name(panel));
    field(panel, "share").addEventListener("input", tellSum);
    panel.querySelector("[data-duplicate-arm]").addEventListener("click", () => copy(panel, true));
    panel.querySelector("[data-even-shares]").addEventListener("click", shareEvenly);
    tabs.insertBefore(panel.tab, add);
    name(panel);
  }

  function unusedName() {
    const taken = panels().map((panel) => field(panel, "key").value);
    return [..."abcdefghijklmnopqrstuvwxyz"].find((letter) => !taken.includes(letter));
  }

  // A further variant in the languages of this one, with its words or without.
  function copy(from, withWords) {
    const html = arms.querySelector("[data-blank-arm]").innerHTML.replaceAll("__arm__", total.value);
    const key = unusedName();
    panels().at(-1).insertAdjacentHTML("afterend", html);
    total.value = Number(total.value) + 1;
    const panel = panels().at(-1);
    const words = panel.querySelector("[data-variants]");
    editLanguages(words);
    adopt(panel);
    field(panel, "key").value = key;
    name(panel);
    languages(from).forEach((variant, number) => fill(languages(panel)[number] ?? words.addLanguage(), variant, withWords));
    languages(panel)[0].tab.click();
    shareEvenly();
    settle();
    show(panel);
  }

  function fill(variant, from, withWords) {
    for (const given of from.querySelectorAll("input:not([type=checkbox]), textarea, select")) {
      const name = given.name.split("-").at(-1);
      const target = control(variant, name);
      if (target && (withWords || name === "language" || name === "purpose")) target.value = given.value;
    }
    variant.tab.textContent = control(variant, "language").value;
  }

  arms.querySelector("[data-remove-arm]").addEventListener("click", () => {
    const panel = shown();
    panel.tab.remove();
    panel.remove();
    shareEvenly();
    settle();
    show(panels()[0]);
  });
  tabs.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const all = panels().map((panel) => panel.tab);
    const at = all.indexOf(document.activeElement);
    if (!step || at < 0) return;
    const next = all[(at + step + all.length) % all.length];
    next.focus();
    next.click();
  });
  add.addEventListener("click", () => copy(shown(), false));
  panels().forEach(adopt);
  if (panels().length === 1 && !field(panels()[0], "share").value) shareEvenly();
  tabs.hidden = false;
  settle();
  show(panels().find((panel) => panel.querySelector(".has-error, .notice.error")) ?? panels()[0]);
}
