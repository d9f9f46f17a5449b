// What a link in a message stands for. Its token stands behind "#", so that it reached no server on the way here.
const form = document.getElementById(location.pathname.replaceAll("/", ""));
const outcome = document.getElementById("outcome");
const token = new URLSearchParams(location.hash.slice(1)).get("token");

if (form && token) {
  form.hidden = false;
} else {
  outcome.textContent = "This link is not complete. Open it as it stands in the message.";
}

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = { token, ...Object.fromEntries(new FormData(form)) };
  try {
    const reply = await fetch(form.dataset.path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const answer = await reply.json();
    outcome.textContent = answer.message;
    form.hidden = answer.success;
  } catch {
    outcome.textContent = "The server cannot be reached. Try again.";
  }
});
