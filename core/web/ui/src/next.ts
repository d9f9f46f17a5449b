/** An address of this server, or nothing: a link may not send anybody elsewhere after they signed in. */
export function nextPath(value: unknown): string | undefined {
  if (typeof value !== "string" || !value.startsWith("/")) return undefined;
  const here = "https://here.invalid";
  const { origin, pathname, search, hash } = new URL(value, here);
  // what begins with two slashes is another server to the browser
  return origin === here && !pathname.startsWith("//") ? pathname + search + hash : undefined;
}
