// HTML that the server made of Markdown, shown as elements of ours.
//
// The server has already taken out what could do harm. It is not trusted here all the same: only what this table names
// becomes an element, and nothing is ever handed to the browser as HTML to insert.
import { createElement, type ReactNode, useMemo } from "react";

const ELEMENTS = new Set(
  "a b blockquote br code dd del div dl dt em h1 h2 h3 h4 h5 h6 hr i kbd li ol p pre s span strong sub sup table tbody td th thead tr ul".split(
    " ",
  ),
);
/** Headings of a text stand below those of the page. */
const HEADINGS: Record<string, string> = { h1: "h3", h2: "h4", h3: "h5", h4: "h6", h5: "h6" };
/** Their contents are no text either. */
const SILENT = new Set(["script", "style", "template", "iframe", "object", "noscript", "svg", "math"]);
const LINKS = /^(https?:|mailto:|#|\/(?!\/))/i;

export function Markdown({ html }: { html: string }) {
  const children = useMemo(() => shown(html), [html]);
  return <div className="prose">{children}</div>;
}

export function shown(html: string): ReactNode[] {
  const { body } = new DOMParser().parseFromString(html, "text/html");
  return [...body.childNodes].map(node);
}

function node(from: Node, key: number): ReactNode {
  if (from instanceof Text) return from.data;
  if (!(from instanceof Element)) return null;
  const name = from.localName;
  if (SILENT.has(name)) return null;
  const children = [...from.childNodes].map(node);
  if (!ELEMENTS.has(name)) return children;
  const props: Record<string, unknown> = { key };
  if (name === "a") {
    const href = from.getAttribute("href") ?? "";
    if (LINKS.test(href)) Object.assign(props, { href, rel: "nofollow noopener noreferrer" });
  }
  const element = HEADINGS[name] ?? name;
  return children.length > 0 ? createElement(element, props, ...children) : createElement(element, props);
}
