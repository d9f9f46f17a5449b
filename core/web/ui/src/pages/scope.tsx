// What a token or a service account may do at most.
import type { TFunction } from "i18next";
import { useTranslation } from "react-i18next";
import type { Schemas } from "../api/types.ts";
import { Check } from "../ui/parts.tsx";

const ACTIONS = [
  "read",
  "download",
  "create",
  "update",
  "upload",
  "replace",
  "release",
  "revoke",
  "delete",
] as const satisfies Schemas["Action"][];

export function ActionChoice() {
  const { t } = useTranslation();
  return (
    <fieldset className="choice">
      <legend>{t("scope.actions")}</legend>
      <p className="soft small">{t("scope.actionsHint")}</p>
      <div className="row">
        {ACTIONS.map((action) => (
          <Check key={action} name="actions" value={action} label={<code>{action}</code>} />
        ))}
      </div>
    </fieldset>
  );
}

/** Nothing chosen is everything that its owner may do. */
export function chosenActions(form: FormData): Schemas["Action"][] | undefined {
  const chosen = form.getAll("actions") as Schemas["Action"][];
  return chosen.length > 0 ? chosen : undefined;
}

export function scopeText({ actions, organization, pattern }: Schemas["TokenScope"], t: TFunction): string {
  const parts = [
    actions && actions.length > 0 ? actions.join(", ") : t("scope.all"),
    organization && t("scope.in", { organization }),
    pattern && t("scope.boxes", { pattern }),
  ];
  return parts.filter(Boolean).join(" · ");
}
