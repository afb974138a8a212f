// Fills in the browser's time zone where a form wants one.
"use strict";

for (const field of document.querySelectorAll("[data-timezone]")) {
  field.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
}
