// From nothing to a box that Vagrant fetches: the steps, and which one somebody is at.
import { Check } from "lucide-react";
import { useTranslation } from "react-i18next";

const STEPS = ["box", "version", "upload", "release", "use"] as const;
export type Step = (typeof STEPS)[number];

export function Guide({ at }: { at: Step }) {
  const { t } = useTranslation();
  const current = STEPS.indexOf(at);
  return (
    <section className="card stack" aria-label={t("guide.title")}>
      <h2>{t("guide.title")}</h2>
      <ol className="guide">
        {STEPS.map((step, index) => (
          <li key={step} aria-current={index === current ? "step" : undefined} data-done={index < current || undefined}>
            <span className="mark" aria-hidden>
              {index < current ? <Check size={15} /> : index + 1}
            </span>
            <span>
              {t(`guide.${step}`)}
              {index < current && <span className="unseen"> {t("guide.done")}</span>}
            </span>
          </li>
        ))}
      </ol>
      <p className="soft">{t(`guide.${at}Text`)}</p>
    </section>
  );
}
