// Pages of the audience: lines that come and go, the columns of an import, the rule builder of a segment.
"use strict";

(() => {
  const clone = (template) => template.content.firstElementChild.cloneNode(true);

  // --- Attribute lines of a subscriber
  for (const list of document.querySelectorAll("[data-lines]")) {
    list.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button?.matches("[data-add-line]")) {
        const line = clone(list.querySelector("template"));
        button.before(line);
        line.querySelector("input").focus();
      } else if (button?.matches("[data-remove-line]")) {
        button.closest("[data-line]").remove();
        list.querySelector("[data-add-line]").focus();
      }
    });
  }

  // --- Columns of an import: only attributes and aliases have a name, only attributes a type
  for (const row of document.querySelectorAll("[data-column]")) {
    const target = row.querySelector("select");
    const show = () => {
      for (const part of row.querySelectorAll("[data-of]")) part.hidden = !part.dataset.of.split(" ").includes(target.value);
    };
    target.addEventListener("change", show);
    show();
  }

  // --- The rule builder. The textarea holds the rules as JSON; the builder reads it once and writes it on each change.
  const builder = document.getElementById("builder");
  if (!builder) return;
  const source = document.getElementById(builder.dataset.source);
  const asJson = document.getElementById("as-json");
  const part = (element, name) => element.querySelector(`:scope > [data-part=${name}], :scope > * > [data-part=${name}]`);
  const kindOf = (value) => (typeof value === "string" ? "text" : typeof value); // text, number or boolean

  /** A rule this builder cannot show without changing it. */
  class NotShowable extends Error {}

  function groupFrom(tree) {
    const group = clone(document.getElementById("group-template"));
    let [combine, rules] = ["all", [tree]];
    if (tree.all) [combine, rules] = ["all", tree.all];
    else if (tree.any) [combine, rules] = ["any", tree.any];
    else if (tree.not) [combine, rules] = ["none", tree.not.any ?? [tree.not]];
    part(group, "combine").value = combine;
    part(group, "rules").append(...rules.map((rule) => (rule.field ? ruleFrom(rule) : groupFrom(rule))));
    return group;
  }

  function ruleFrom({ field, key = "", relation, value, days = null, where = [] }) {
    const rule = clone(document.getElementById("rule-template"));
    const many = relation === "in";
    const values = many ? value : [value];
    const kind = values[0] === undefined || values[0] === null ? "text" : kindOf(values[0]);
    if (values.some((one) => Number.isInteger(one) && !Number.isSafeInteger(one))) throw new NotShowable();
    if (many && values.some((one) => kindOf(one) !== kind || String(one).includes(",") || String(one).trim() !== String(one))) throw new NotShowable();
    part(rule, "field").value = field;
    if (part(rule, "field").value !== field) throw new NotShowable();
    part(rule, "key").value = key;
    choose(part(rule, "relation"), relation, field);
    part(rule, "days").value = days ?? "";
    part(rule, "where").append(...where.map((one) => ruleFrom({ ...one, field: "property" })));
    part(rule, "kind").value = kind;
    if (kind === "boolean" && !many) part(rule, "truth").value = String(value);
    else if (value !== undefined && value !== null) part(rule, "value").value = many ? values.join(", ") : String(value);
    return fit(rule);
  }

  const knows = (option, field) => option.dataset.fields.split(" ").includes(field);

  /** The relation under the words it has for this field. False when the field has no such relation. */
  function choose(select, relation, field) {
    const option = [...select.options].find((one) => one.value === relation && knows(one, field));
    if (option) option.selected = true;
    return Boolean(option);
  }

  /** Shows the parts that the chosen field and relation need. */
  function fit(rule) {
    const [field, relation, kind, value] = ["field", "relation", "kind", "value"].map((name) => part(rule, name));
    const isAttribute = ["attribute", "property"].includes(field.value);
    const isEvent = field.value === "event";
    const isPresence = field.value === "presence";
    for (const option of relation.options) option.hidden = option.disabled = !knows(option, field.value);
    if ((relation.selectedOptions[0]?.disabled ?? true) && !choose(relation, relation.value, field.value)) {
      [...relation.options].find((option) => !option.disabled).selected = true;
    }
    const bare = relation.value.endsWith("exists");
    const ordered = /[<>]/.test(relation.value);
    const textOnly = !isAttribute || relation.value === "starts_with";
    for (const option of kind.options) {
      option.hidden = option.disabled = (textOnly && option.value !== "text") || (ordered && option.value === "boolean");
    }
    if (isEvent) kind.value = "number";
    else if (kind.selectedOptions[0].disabled) kind.value = "text";
    const isTruth = kind.value === "boolean" && relation.value !== "in";
    part(rule, "key").hidden = !isAttribute && !isEvent;
    nameKey(part(rule, "key"), field.value);
    field.hidden = field.value === "property";
    kind.hidden = bare || textOnly;
    part(rule, "truth").hidden = bare || !isTruth;
    part(rule, "window").hidden = !isEvent || relation.value.startsWith("last_");
    for (const name of ["where", "add-where"]) part(rule, name).hidden = !isEvent;
    value.hidden = bare || isTruth;
    value.readOnly = isPresence;
    if (isPresence) value.value = "online";
    value.type = kind.value === "number" && relation.value !== "in" ? "number" : "text";
    value.step = isEvent ? "1" : "any";
    value.min = isEvent ? "0" : "";
    value.dataset.one ??= value.placeholder;
    value.placeholder = relation.value === "in" ? value.dataset.many : relation.value.startsWith("last_") ? value.dataset.days : isEvent ? value.dataset.times : value.dataset.one;
    return rule;
  }

  function nameKey(key, field) {
    const words = { event: key.dataset.event, property: key.dataset.property }[field] ?? key.dataset.attribute;
    key.placeholder = words;
    key.setAttribute("aria-label", words);
    if (field === "property") key.removeAttribute("list");
    else key.setAttribute("list", field === "event" ? "event-names" : "attribute-names");
  }

  function treeOf(element) {
    if (element.matches(".rule")) return leafOf(element);
    const rules = [...part(element, "rules").children].map(treeOf);
    const combine = part(element, "combine").value;
    return combine === "none" ? { not: { any: rules } } : { [combine]: rules };
  }

  function leafOf(rule) {
    const [field, relation] = [part(rule, "field").value, part(rule, "relation").value];
    const leaf = { field, ...(!part(rule, "key").hidden && { key: part(rule, "key").value.trim() }), relation };
    if (field === "event") occasionOf(rule, leaf);
    if (relation.endsWith("exists")) return leaf;
    const text = part(rule, "value").value;
    if (relation === "in") leaf.value = text.split(",").map((one) => one.trim()).filter(Boolean).map((one) => typed(rule, one));
    else leaf.value = part(rule, "truth").hidden ? typed(rule, text) : part(rule, "truth").value === "true";
    return leaf;
  }

  /** The window and the properties of an event's rule. */
  function occasionOf(rule, leaf) {
    const days = part(rule, "days").value;
    if (days && !part(rule, "window").hidden) leaf.days = Number(days);
    const where = [...part(rule, "where").children].map(leafOf).map(({ field, ...filter }) => filter);
    if (where.length) leaf.where = where;
  }

  /** null for what is no number: the server says so. */
  function typed(rule, text) {
    const isEvent = part(rule, "field").value === "event";
    const kind = part(rule, "kind").hidden && !isEvent ? "text" : part(rule, "kind").value;
    if (kind === "boolean") return text === "true";
    if (kind === "text") return text;
    return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : null;
  }

  function changed() {
    source.value = JSON.stringify(treeOf(builder.firstElementChild), null, 2);
    tell();
  }
  const tell = () => source.dispatchEvent(new CustomEvent("rules-changed", { bubbles: true }));

  /** Reads the textarea into the builder; leaves the textarea on view when that is not possible. */
  function show() {
    try {
      builder.replaceChildren(groupFrom(JSON.parse(source.value)));
    } catch {
      return false;
    }
    builder.firstElementChild.querySelector("[data-act=remove]").hidden = true;
    builder.hidden = false;
    source.hidden = true;
    return true;
  }

  builder.addEventListener("change", (event) => {
    const rule = event.target.closest(".rule");
    if (rule) fit(rule);
    changed();
  });
  builder.addEventListener("input", changed);
  builder.addEventListener("click", (event) => {
    const button = event.target.closest("[data-act]");
    if (!button) return;
    const group = button.closest(".rule-group");
    if (button.dataset.act === "add-where") {
      const filter = ruleFrom({ field: "property", relation: "=", value: "" });
      part(button.closest(".rule"), "where").append(filter);
      part(filter, "key").focus();
    } else if (button.dataset.act === "remove") remove(button.closest(".rule") ?? group);
    else add(group, button.dataset.act === "add-rule" ? ruleFrom(blank()) : groupFrom({ any: [blank()] }));
    changed();
  });
  const blank = () => ({ field: "attribute", relation: "=", value: "" });

  function add(group, element) {
    part(group, "rules").append(element);
    element.querySelector("select").focus();
  }

  function remove(element) {
    const group = element.parentElement.closest(".rule-group");
    element.remove();
    group.querySelector(":scope > .row > [data-act=add-rule]").focus();
  }

  source.addEventListener("input", tell);
  asJson.hidden = false;
  asJson.addEventListener("click", () => {
    const wantsJson = source.hidden;
    if (wantsJson) {
      builder.hidden = true;
      source.hidden = false;
      source.focus();
    } else if (!show()) return;
    asJson.setAttribute("aria-pressed", String(wantsJson));
  });
  if (!show()) asJson.setAttribute("aria-pressed", "true");
})();
