import { Minus, Plus } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Schemas } from "../api/types.ts";
import { FormDialog } from "../ui/dialog.tsx";
import { Badge, Button, TextField } from "../ui/parts.tsx";

/** More than this is not read, only counted. */
const SHOWN = 60;

interface DecisionChangesProps {
  changes: Schemas["DecisionChangeView"][];
  isComplete: boolean;
}

/** What a new text would allow or refuse that the one in force does not. */
export function DecisionChanges({ changes, isComplete }: DecisionChangesProps) {
  const { t } = useTranslation();
  return (
    <section className="stack" aria-label={t("policy.changes")}>
      <p className="row">
        <strong>{t("policy.changes")}</strong>
        <Badge>{isComplete ? changes.length : `≥ ${changes.length}`}</Badge>
      </p>
      {changes.length === 0 && <p className="soft">{t("policy.noChanges")}</p>}
      {changes.length > 0 && (
        <ul className="list changes">
          {changes.slice(0, SHOWN).map((one) => (
            <li key={`${one.who} ${one.domain} ${one.object} ${one.action}`} className="row">
              <Badge tone={one.after ? "good" : "bad"}>
                {one.after ? <Plus aria-hidden /> : <Minus aria-hidden />}
                {t(one.after ? "policy.nowAllowed" : "policy.nowRefused")}
              </Badge>
              <span className="mono small">
                {one.who} · {one.action} · {one.object}
                {one.domain !== "-" && ` · ${one.domain}`}
              </span>
            </li>
          ))}
        </ul>
      )}
      {changes.length > SHOWN && <p className="soft small">{t("policy.more", { count: changes.length - SHOWN })}</p>}
    </section>
  );
}

interface SaveRulesProps {
  check: Schemas["PolicyCheckView"] | undefined;
  isChanged: boolean;
  onSave: (form: FormData) => Promise<unknown>;
}

/** Shows once more what a text changes, and asks why, before it comes into force. */
export function SaveRules({ check, isChanged, onSave }: SaveRulesProps) {
  const { t } = useTranslation();
  return (
    <FormDialog
      trigger={(open) => (
        <Button look="main" disabled={!isChanged || !check?.valid} onClick={open}>
          {t("policy.review")}
        </Button>
      )}
      title={t("policy.review")}
      description={t("policy.reviewText")}
      submit={t("policy.save")}
      onSubmit={onSave}
    >
      {check && <DecisionChanges changes={check.changes} isComplete={check.changesComplete} />}
      <TextField label={t("policy.message")} name="message" autoComplete="off" required />
    </FormDialog>
  );
}
