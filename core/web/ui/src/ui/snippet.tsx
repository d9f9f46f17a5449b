// Text to copy.
import { Check, Copy } from "lucide-react";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { IconButton } from "./parts.tsx";

/** How long the button says that it worked. */
const SHOWN_MS = 1_800;

export function CopyButton({ text, label }: { text: string; label?: string }) {
  const { t } = useTranslation();
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    if (!(await toClipboard(text))) return;
    setCopied(true);
    setTimeout(() => setCopied(false), SHOWN_MS);
  };
  const name = copied ? t("copied") : (label ?? t("copy"));
  return <IconButton size="small" look="quiet" icon={copied ? Check : Copy} label={name} onClick={copy} />;
}

export function Snippet({ text, label }: { text: string; label: string }) {
  return (
    <div className="snippet">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard */}
      <section tabIndex={0} aria-label={label}>
        <pre>{words(text)}</pre>
      </section>
      <CopyButton text={text} />
    </div>
  );
}

/** No longer than what stands in one line on a phone. */
const WORD_MAX = 24;

/**
 * An option is not broken at its hyphens, which would read as another one; an address that is too long for a line
 * begins where it stands, and not below an empty line.
 */
function words(text: string): ReactNode[] {
  return text.split(/(\s+)/).map((word, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: words have no other name
    <span key={index} className={lookOf(word)}>
      {pieces(word)}
    </span>
  ));
}

/** An assignment that is too long for a line goes on after its sign. */
function pieces(word: string): ReactNode {
  const [name, ...rest] = word.split("=");
  if (word.length <= WORD_MAX || rest.length !== 1) return word;
  return (
    <>
      {name}=<wbr />
      {rest}
    </>
  );
}

function lookOf(word: string): string | undefined {
  if (word.length <= WORD_MAX) return word.trim() && "nowrap";
  return word.startsWith("http") ? "break-all" : undefined;
}

/** The clipboard's own interface is there only over HTTPS and on this machine. */
async function toClipboard(text: string): Promise<boolean> {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return true;
  }
  const field = document.createElement("textarea");
  field.value = text;
  field.setAttribute("readonly", "");
  field.className = "unseen";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}
