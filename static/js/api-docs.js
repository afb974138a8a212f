"use strict";

// Swagger UI over our own OpenAPI document. Nothing is sent anywhere but to this host, and the key is not kept.
const page = document.getElementById("api-docs");

window.SwaggerUIBundle({
  domNode: page,
  url: page.dataset.schema,
  layout: "BaseLayout",
  presets: [window.SwaggerUIBundle.presets.apis],
  deepLinking: true,
  defaultModelsExpandDepth: -1,
  displayRequestDuration: true,
  docExpansion: "list",
  persistAuthorization: false,
  tryItOutEnabled: true,
  validatorUrl: null,
});
