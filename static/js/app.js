// What the pages need beyond HTML: copy buttons, dialogs, toasts, the theme without a reload, pausable polling, filters.
"use strict";

(() => {
  const root = document.documentElement;

  const within = (event, selector) => (event.target instanceof Element ? event.target.closest(selector) : null);

  async function copy(button) {
    const label = button.querySelector("span");
    await navigator.clipboard.writeText(document.querySelector(button.dataset.copy).textContent);
    const before = label.textContent;
    label.textContent = button.dataset.copied;
    setTimeout(() => { label.textContent = before; }, 1500);
  }

  function chooseTheme(button) {
    const theme = button.value;
    root.dataset.theme = theme;
    document.cookie = `theme=${theme}; path=/; max-age=31536000; samesite=lax`;
    for (const other of button.parentElement.children) other.removeAttribute("aria-current");
    button.setAttribute("aria-current", "true");
    button.parentElement.hidePopover();
  }

  function togglePolling(button) {
    const target = document.querySelector(button.dataset.pauses);
    const paused = target.toggleAttribute("data-paused");
    button.setAttribute("aria-pressed", String(paused));
  }

  document.addEventListener("click", (event) => {
    let button = within(event, "[data-copy]");
    if (button) copy(button);
    button = within(event, "[data-opens]");
    if (button) document.getElementById(button.dataset.opens).showModal();
    button = within(event, "[data-closes]");
    if (button) button.closest("dialog").close();
    button = within(event, "[data-dismiss-toast]");
    if (button) button.closest(".toast").remove();
    button = within(event, "[data-pauses]");
    if (button) togglePolling(button);
    button = within(event, "[data-theme-form] button[name=theme]");
    if (button) {
      event.preventDefault();
      chooseTheme(button);
    }
  });

  // A form sends once: a double click must not create two of anything.
  const SENT_MS = 5_000;
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented || event.target.method !== "post") return;
    const buttons = event.target.querySelectorAll("button:not([type=button]):not([disabled])");
    const setDisabled = (value) => { for (const button of buttons) button.disabled = value; };
    setTimeout(setDisabled, 0, true);
    setTimeout(setDisabled, SENT_MS, false);
  });

  const TOAST_MS = 6000;
  const expire = (toast) => {
    if (!toast.classList.contains("error")) setTimeout(() => toast.remove(), TOAST_MS);
  };
  document.querySelectorAll("#toasts .toast").forEach(expire);
  document.addEventListener("toasts", (event) => {
    for (const { level, text } of event.detail.items) {
      const toast = document.getElementById("toast-template").content.firstElementChild.cloneNode(true);
      toast.classList.add(level);
      toast.querySelector("p").textContent = text;
      document.getElementById("toasts").append(toast);
      expire(toast);
    }
  });

  // Polling rests while it is paused or nobody looks.
  document.addEventListener("htmx:beforeRequest", (event) => {
    const polled = event.target.closest("[data-poll]");
    if (polled && polled === event.target && (document.hidden || polled.hasAttribute("data-paused"))) event.preventDefault();
  });
})();
