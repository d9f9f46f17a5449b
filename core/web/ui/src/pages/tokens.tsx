// Tokens of one's own, for Vagrant and scripts.
import { useMutation, useQuery } from "@tanstack/react-query";
import { KeyRound, Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { act, tellProblem } from "../api/act.ts";
import { api, whole } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import { useProfile } from "../api/queries.ts";
import type { Schemas } from "../api/types.ts";
import { FormDialog, filled } from "../ui/dialog.tsx";
import { date } from "../ui/format.ts";
import { Bones, Button, Empty, IconButton, ProblemNotice, Select, TextField } from "../ui/parts.tsx";
import { SecretDialog } from "../ui/secret.tsx";
import { Actions, Table } from "../ui/table.tsx";
import { Ago } from "../ui/time.tsx";
import { ActionChoice, chosenActions, scopeText } from "./scope.tsx";
import { SettingsPage } from "./settings-page.tsx";

export function Tokens() {
  const { t } = useTranslation();
  const [secret, setSecret] = useState<string>();
  const list = useQuery({
    queryKey: ["tokens"],
    queryFn: () => whole(api.GET("/api/user/tokens", { params: { query: { per_page: 200 } } })),
  });
  const end = useMutation({
    mutationFn: (id: string) =>
      act(whole(api.DELETE("/api/user/tokens/{id}", { params: { path: { id } } })), ["tokens"]),
    onError: tellProblem,
  });
  return (
    <SettingsPage title={t("settings.tokens")}>
      <section className="stack">
        <div className="row between">
          <p className="soft">{t("tokens.text")}</p>
          {list.data && list.data.data.length > 0 && <CreateToken onSecret={setSecret} />}
        </div>
        <ProblemNotice problem={list.error && asProblem(list.error)} />
        {!list.data && !list.error && <Bones />}
        {list.data?.data.length === 0 && (
          <Empty icon={KeyRound} title={t("tokens.none")}>
            <p>{t("tokens.noneText")}</p>
            <CreateToken onSecret={setSecret} />
          </Empty>
        )}
        {list.data && list.data.data.length > 0 && (
          <Table heads={[t("tokens.description"), t("scope.until"), t("scope.used"), undefined]}>
            {list.data.data.map((one) => (
              <tr key={one.id}>
                <td>
                  <span className="stack tight-lines">
                    <span className="name">{one.description}</span>
                    <span className="soft small">{scopeText(one.scope, t)}</span>
                  </span>
                </td>
                <td data-label={t("scope.until")}>{one.expiresAt ? date(one.expiresAt) : t("scope.always")}</td>
                <td data-label={t("scope.used")} className="soft">
                  {one.lastUsedAt ? <Ago at={one.lastUsedAt} /> : t("scope.never")}
                </td>
                <Actions>
                  <IconButton
                    size="small"
                    look="quiet"
                    icon={Trash2}
                    label={t("tokens.end", { name: one.description })}
                    onClick={() => end.mutate(one.id)}
                  />
                </Actions>
              </tr>
            ))}
          </Table>
        )}
        <SecretDialog title={t("tokens.secret")} secret={secret} onClose={() => setSecret(undefined)} />
      </section>
    </SettingsPage>
  );
}

const DAYS = [7, 30, 90, 365];

function CreateToken({ onSecret }: { onSecret: (secret: string) => void }) {
  const { t } = useTranslation();
  const me = useProfile();
  const create = async (form: FormData) => {
    const days = filled(form, "expiresInDays");
    const body: Schemas["CreateTokenParams"] = {
      description: filled(form, "description") ?? "",
      expiresInDays: days ? Number(days) : undefined,
      actions: chosenActions(form),
      organization: filled(form, "organization"),
      pattern: filled(form, "pattern"),
    };
    const { data } = await act(whole(api.POST("/api/user/tokens", { body })), ["tokens"]);
    onSecret(data.token);
  };
  return (
    <FormDialog
      trigger={(open) => (
        <Button look="main" onClick={open}>
          <Plus aria-hidden />
          {t("tokens.create")}
        </Button>
      )}
      title={t("tokens.create")}
      description={t("tokens.createText")}
      submit={t("tokens.create")}
      onSubmit={create}
    >
      <TextField
        label={t("tokens.description")}
        hint={t("tokens.descriptionHint")}
        name="description"
        autoComplete="off"
        required
      />
      <Select label={t("scope.ends")} name="expiresInDays" defaultValue="90">
        {DAYS.map((count) => (
          <option key={count} value={count}>
            {t("scope.inDays", { count })}
          </option>
        ))}
        <option value="">{t("scope.always")}</option>
      </Select>
      <Select label={t("word.organization")} name="organization">
        <option value="">{t("scope.anywhere")}</option>
        {me?.organizations.map(({ name }) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </Select>
      <TextField label={t("scope.pattern")} hint={t("scope.patternHint")} name="pattern" className="input mono" />
      <ActionChoice />
    </FormDialog>
  );
}
