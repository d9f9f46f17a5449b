// What a link in a message stands for. Its token stands behind "#", so that it reached no server on the way here.
const place = document.getElementById(location.pathname.split("/").filter(Boolean).at(-1));
const outcome = document.getElementById("outcome");
const link = new URLSearchParams(location.hash.slice(1));
const token = link.get("token");
let invitation;

async function post(path, body, accessToken) {
  const headers = { "content-type": "application/json" };
  if (accessToken) headers["x-access-token"] = accessToken;
  try {
    const reply = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
    return await reply.json();
  } catch {
    return { success: false, message: "The server cannot be reached. Try again." };
  }
}

// Does something as whoever signs in, and signs out again.
async function asUser({ username, password, code }, act) {
  const session = await post("/api/auth/signin", { username, password, code });
  if (!session.success) return session;
  const { accessToken } = session.data;
  const answer = await act(accessToken);
  await post("/api/auth/signout", {}, accessToken);
  return answer;
}

// What a form does that is not sent with the token to its path alone; the answer is the API's.
const actions = {
  signUp: (fields) => post("/api/auth/signup", { ...fields, email: invitation.email, invitation: token }),
  signInAndAccept: (fields) =>
    asUser(fields, (accessToken) => post("/api/invitations/accept", { token }, accessToken)),
  decline: () => post("/api/invitations/decline", { token }),
  decide: ({ role, decision, ...fields }) => {
    const organization = encodeURIComponent(link.get("organization"));
    const request = `/api/organization/${organization}/requests/${encodeURIComponent(link.get("request"))}`;
    const body = decision === "approve" ? { role } : {};
    return asUser(fields, (accessToken) => post(`${request}/${decision}`, body, accessToken));
  },
};

async function show() {
  const isWhole = place?.id === "join-request" ? link.get("organization") && link.get("request") : token;
  if (!place || !isWhole) {
    outcome.textContent = "This link is not complete. Open it as it stands in the message.";
    return;
  }
  if (place.id === "join-request") {
    document.getElementById("asked").textContent = `Decide on a request to join ${link.get("organization")}`;
  }
  if (place.id === "invitation") {
    const opened = await post("/api/invitations/open", { token });
    if (!opened.success) {
      outcome.textContent = opened.message;
      return;
    }
    invitation = opened.data;
    const { invitedBy, email, organization, role } = invitation;
    const who = invitedBy ?? "Somebody";
    document.getElementById("invited").textContent = `${who} invites ${email} to ${organization}, as ${role}.`;
  }
  place.hidden = false;
}

document.addEventListener("submit", async (event) => {
  event.preventDefault();
  const filled = [...new FormData(event.target, event.submitter)].filter(([, value]) => value !== "");
  const fields = Object.fromEntries(filled);
  const { action, path } = event.target.dataset;
  const answer = await (action ? actions[action](fields) : post(path, { token, ...fields }));
  outcome.textContent = answer.message;
  place.hidden = answer.success;
});

show();
