// The editor of a journey. The textarea holds the definition as JSON; the cards read it once and write it on each
// change. What a card cannot show (filters on properties, more languages) stays in its step untouched.
"use strict";

(() => {
  const editor = document.getElementById("journey-editor");
  if (!editor) return;
  const source = document.getElementById(editor.dataset.source);
  const list = document.getElementById("journey-steps");
  const asJson = document.getElementById("as-json");
  const json = document.getElementById("journey-json");
  const words = document.getElementById("way-words").content;
  const clone = (id) => document.getElementById(id).content.cloneNode(true);
  const head = (name) => editor.querySelector(`[data-head="${name}"]`);
  const listOf = (text) => text.split(",").map((one) => one.trim()).filter(Boolean);
  const kindName = (kind) => [...document.getElementById("j-kind").options].find((one) => one.value === kind)?.textContent ?? kind;
  const steps = new Map(); // card -> its step
  const bounds = ["entries_per_minute", "sends_per_minute"];
  let definition = {};

  // --- What each kind of step shows (`read`) and says (`write`). `field` finds an input of the card.
  const shapes = {
    wait: {
      fresh: () => ({ seconds: 3600, next: null }),
      read(step, field) {
        const unit = [86400, 3600, 60].find((size) => step.seconds % size === 0) ?? 60;
        field("unit").value = String(unit);
        field("amount").value = String(Math.round(step.seconds / unit));
      },
      write: (step, field) => ({ seconds: Number(field("amount").value) * Number(field("unit").value) }),
    },
    wait_until: {
      fresh: () => ({ time: "09:00", weekdays: [], next: null }),
      read(step, field, card) {
        field("time").value = step.time;
        for (const box of card.querySelectorAll("[data-day]")) box.checked = (step.weekdays ?? []).includes(Number(box.dataset.day));
      },
      write: (step, field, card) => ({
        time: field("time").value,
        weekdays: [...card.querySelectorAll("[data-day]:checked")].map((box) => Number(box.dataset.day)),
      }),
    },
    branch: {
      fresh: () => ({ if: { event: "" }, then: null, else: null }),
      read(step, field) {
        const asked = step.if;
        const outside = asked.inside === false;
        field("asks").value = asked.rules ? "rules" : asked.segment_id !== undefined ? (outside ? "outside" : "inside") : "event";
        field("event").value = asked.event ?? "";
        field("segment").value = asked.segment_id ?? "";
        fitBranch(field);
      },
      write(step, field) {
        const asks = field("asks").value;
        fitBranch(field);
        if (asks === "rules") return {};
        if (asks === "event") return { if: { ...(step.if.event !== undefined && step.if), event: field("event").value.trim() } };
        return { if: { segment_id: field("segment").value, inside: asks === "inside" } };
      },
    },
    split: {
      fresh: () => ({ ways: [{ percent: 50, next: null }, { percent: 50, next: null }] }),
      read() {},
      write: () => ({}),
    },
    send: {
      fresh: () => ({ content: { [editor.dataset.language]: { title: "", body: "" } }, routes: ["realtime"], next: null }),
      read(step, field) {
        const own = spoken(step);
        field("template").value = step.template_id ?? "";
        field("title").value = own.title ?? "";
        field("body").value = own.body ?? "";
        field("routes").value = step.routes.join(", ");
        field("category").value = step.category ?? "";
        readRules(step, field);
        fitSend(field);
      },
      write(step, field) {
        fitSend(field);
        const said = { routes: listOf(field("routes").value), category: field("category").value, ...writtenRules(field) };
        const template = field("template").value;
        if (template) return { ...said, template_id: template, content: undefined };
        const own = { ...spoken(step), title: field("title").value, body: field("body").value };
        return { ...said, template_id: undefined, content: { ...step.content, [languageOf(step)]: own } };
      },
    },
    update: {
      fresh: () => ({ add_tags: [], remove_tags: [], attributes: {}, next: null }),
      read(step, field) {
        field("add_tags").value = (step.add_tags ?? []).join(", ");
        field("remove_tags").value = (step.remove_tags ?? []).join(", ");
        const lines = Object.entries(step.attributes ?? {}).map(([name, value]) => `${name} = ${typeof value === "string" ? value : JSON.stringify(value)}`);
        field("attributes").value = lines.join("\n");
      },
      write: (step, field) => ({
        add_tags: listOf(field("add_tags").value),
        remove_tags: listOf(field("remove_tags").value),
        attributes: Object.fromEntries(field("attributes").value.split("\n").filter((line) => line.includes("=")).map(attribute)),
      }),
    },
    end: { fresh: () => ({}), read: (step, field) => (field("goal").value = step.goal ?? ""), write: (step, field) => ({ goal: field("goal").value }) },
  };

  const languageOf = (step) => Object.keys(step.content ?? {})[0] ?? editor.dataset.language;
  const spoken = (step) => (step.content ?? {})[languageOf(step)] ?? {};

  /** `plan = pro` is a text, `age = 5` a number, `left = null` removes the attribute. */
  function attribute(line) {
    const [name, ...rest] = line.split("=");
    const text = rest.join("=").trim();
    try {
      return [name.trim(), JSON.parse(text)];
    } catch {
      return [name.trim(), text];
    }
  }

  function fitBranch(field) {
    const asks = field("asks").value;
    field("event").closest(".field").hidden = asks !== "event";
    field("segment").closest(".field").hidden = !["inside", "outside"].includes(asks);
  }

  // --- When a send may leave: null stands for "as the application says", or "no bound".
  function readRules({ ttl, quiet_hours: quiet, frequency_cap: cap }, field) {
    field("ttl").value = ttl ? String(ttl / 3600) : "";
    field("quiet").value = quiet?.action ?? (quiet ? "hold" : "");
    field("quiet_start").value = quiet?.from ?? "22:00";
    field("quiet_end").value = quiet?.to ?? "08:00";
    field("cap_count").value = cap?.count ?? "";
    field("cap_days").value = cap?.days ?? "";
    field("cap_action").value = cap?.action ?? "skip";
  }

  function writtenRules(field) {
    const [hours, action, count] = [Number(field("ttl").value), field("quiet").value, Number(field("cap_count").value)];
    const own = { from: field("quiet_start").value, to: field("quiet_end").value, action };
    const cap = { count, days: Number(field("cap_days").value) || 1, action: field("cap_action").value };
    return {
      ttl: hours ? Math.round(hours * 3600) : null,
      quiet_hours: action === "" ? null : action === "ignore" ? { action } : own,
      frequency_cap: count ? cap : null,
    };
  }

  function fitSend(field) {
    field("quiet_start").closest("[data-part]").hidden = !["hold", "drop"].includes(field("quiet").value);
    for (const name of ["title", "body"]) field(name).closest(".field").hidden = field("template").value !== "";
  }

  // --- Where a step leads: [how it is called, read, write] for each way
  function waysOf(step) {
    if (step.kind === "end") return [];
    if (step.kind === "split") return step.ways.map((way) => ["percent", way, "next"]);
    return (step.kind === "branch" ? ["then", "else"] : ["next"]).map((name) => [name === "next" ? "" : name, step, name]);
  }

  function showWays(card) {
    const step = steps.get(card);
    card.querySelectorAll(".flow-way").forEach((way) => way.remove());
    for (const [label, holder, name] of waysOf(step)) {
      const way = clone("way-template").firstElementChild;
      way.querySelector("[data-part=label]").textContent = words.querySelector(`[data-next="${label}"]`).textContent;
      const percent = way.querySelector("[data-field=percent]");
      percent.hidden = label !== "percent";
      percent.value = holder.percent ?? "";
      percent.addEventListener("input", () => { holder.percent = Number(percent.value); save(); });
      const target = way.querySelector("select");
      target.append(new Option(editor.dataset.end, ""), ...[...steps.values()].map((one) => new Option(one.name || `${kindName(one.kind)} (${one.id})`, one.id)));
      target.value = holder[name] ?? "";
      target.addEventListener("change", () => { holder[name] = target.value || null; save(); });
      card.append(way);
    }
  }

  function cardOf(step) {
    const card = clone("step-template").firstElementChild;
    card.querySelector("[data-part=kind]").textContent = `${kindName(step.kind)} (${step.id})`;
    card.querySelector("[data-part=fields]").append(clone(`fields-${step.kind}`));
    const field = (name) => card.querySelector(`[data-field="${name}"]`);
    steps.set(card, step);
    field("name").value = step.name ?? "";
    shapes[step.kind].read(step, field, card);
    card.addEventListener("input", (event) => {
      if (event.target.closest(".flow-way")) return;
      Object.assign(step, { name: field("name").value }, shapes[step.kind].write(step, field, card));
      if (event.target === field("name")) showAllWays();
      save();
    });
    card.addEventListener("click", (event) => act(card, event.target.closest("[data-act]")));
    return card;
  }

  const showAllWays = () => [...list.children].forEach(showWays);

  function act(card, button) {
    const doing = button?.dataset.act;
    if (!doing) return;
    if (doing === "up") card.previousElementSibling?.before(card);
    if (doing === "down") card.nextElementSibling?.after(card);
    if (doing === "remove") remove(card);
    else button.focus();
    showAllWays();
    save();
  }

  /** Who led to the step leads to where it led. */
  function remove(card) {
    const gone = steps.get(card);
    const beyond = waysOf(gone).map(([, holder, name]) => holder[name]).find((one) => one !== gone.id) ?? null;
    steps.delete(card);
    for (const step of steps.values()) for (const [, holder, name] of waysOf(step)) if (holder[name] === gone.id) holder[name] = beyond;
    (card.nextElementSibling ?? card.previousElementSibling)?.querySelector("[data-act]").focus();
    card.remove();
  }

  /** A new step goes to the end of the list, and the last step that led nowhere leads to it. */
  function add(kind) {
    const known = [...steps.values()];
    let number = known.length + 1;
    while (known.some((one) => one.id === `${kind}-${number}`)) number += 1;
    const step = { id: `${kind}-${number}`, kind, name: "", ...shapes[kind].fresh() };
    const last = list.lastElementChild && steps.get(list.lastElementChild);
    const open = last && waysOf(last).find(([, holder, name]) => !holder[name]);
    if (open) open[1][open[2]] = step.id;
    const card = cardOf(step);
    list.append(card);
    showAllWays();
    save();
    card.querySelector("input").focus();
  }

  // --- Who comes in
  function showHead() {
    const rule = definition.reentry ?? { rule: "once" };
    head("trigger").value = definition.trigger?.event ?? "";
    head("rule").value = rule.rule ?? "once";
    head("days").value = rule.days ?? 7;
    head("exits").value = (definition.exits ?? []).filter((one) => one.event).map((one) => one.event).join(", ");
    for (const name of bounds) head(name).value = definition[name] ?? "";
    head("days-field").hidden = head("rule").value !== "after";
  }

  function readHead() {
    const [event, rule] = [head("trigger").value.trim(), head("rule").value];
    definition.trigger = event ? { ...definition.trigger, event } : null;
    const alone = definition.reentry?.one_at_a_time;
    definition.reentry = { rule, ...(rule === "after" && { days: Number(head("days").value) }), ...(rule === "always" && alone !== undefined && { one_at_a_time: alone }) };
    const before = definition.exits ?? [];
    const named = listOf(head("exits").value).map((name) => before.find((one) => one.event === name) ?? { event: name });
    definition.exits = [...named, ...before.filter((one) => !one.event)];
    for (const name of bounds) definition[name] = Number(head(name).value) || null;
    head("days-field").hidden = rule !== "after";
  }

  function save() {
    source.value = JSON.stringify({ ...definition, steps: [...list.children].map((card) => steps.get(card)) }, null, 2);
  }

  /** Reads the textarea into cards; leaves it on view when that is not possible. */
  function show() {
    try {
      definition = JSON.parse(source.value);
      steps.clear();
      list.replaceChildren(...definition.steps.map(cardOf));
      showAllWays();
      showHead();
      return true;
    } catch {
      return false;
    }
  }

  function choose(cards) {
    const shown = cards && show();
    editor.hidden = !shown;
    json.hidden = shown;
    asJson.setAttribute("aria-pressed", String(!shown));
  }

  document.getElementById("j-add").addEventListener("click", () => add(document.getElementById("j-kind").value));
  for (const input of editor.querySelectorAll("[data-head]")) input.addEventListener("input", () => { readHead(); save(); });
  asJson.addEventListener("click", () => choose(editor.hidden));
  asJson.hidden = false;
  choose(true);
})();
