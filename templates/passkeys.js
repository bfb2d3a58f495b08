"use strict";
// Asks the site for a question, the browser for its answer, and sends that by the form itself.
const helps = window.PublicKeyCredential?.parseRequestOptionsFromJSON;
for (const form of document.querySelectorAll("form[data-passkey]")) {
  const trouble = form.querySelector("[data-trouble]");
  if (!helps) continue;
  trouble.textContent = "";
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    trouble.textContent = "";
    try {
      const body = new URLSearchParams(new FormData(form));
      const asked = await fetch(form.dataset.question, { method: "POST", body, redirect: "manual" });
      if (asked.status === 401 || asked.type === "opaqueredirect") {
        const here = encodeURIComponent(location.pathname + location.search);
        location.assign("/.portcullis/re-authenticate?return=" + here);
        return;
      }
      const answer = await asked.json();
      if (!asked.ok) throw new Error(answer.detail);
      const credential = form.dataset.passkey === "create"
        ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(answer.options) })
        : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(answer.options) });
      form.elements.ceremony.value = answer.ceremony;
      form.elements.credential.value = JSON.stringify(credential.toJSON());
      form.submit();
    } catch (error) {
      trouble.textContent = error.name === "NotAllowedError" ? "Nothing was chosen. Try again." : error.message;
    }
  });
}
