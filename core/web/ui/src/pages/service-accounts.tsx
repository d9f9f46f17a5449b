// Accounts for pipelines: each of one organization, with a secret that shows once.
import { useMutation, useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { Bot, KeyRound, Pause, Play, Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { act, tellProblem } from "../api/act.ts";
import { api, whole } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import type { Schemas } from "../api/types.ts";
import { FormDialog, filled } from "../ui/dialog.tsx";
import { date } from "../ui/format.ts";
import { Badge, Bones, Button, Empty, IconButton, ProblemNotice, Select, TextField } from "../ui/parts.tsx";
import { SecretDialog } from "../ui/secret.tsx";
import { Actions, Table } from "../ui/table.tsx";
import { Ago } from "../ui/time.tsx";
import { OrganizationPage } from "./organization-page.tsx";
import { RoleOptions } from "./roles.tsx";
import { ActionChoice, chosenActions, scopeText } from "./scope.tsx";

const ACCOUNTS = "/api/organization/{organization}/service-accounts";

export function ServiceAccounts() {
  const { t } = useTranslation();
  const { organization } = useParams({ from: "/organizations/$organization/service-accounts" });
  const [secret, setSecret] = useState<string>();
  const key = ["organization", organization, "service-accounts"];
  const path = { organization };
  const list = useQuery({
    queryKey: key,
    queryFn: () => whole(api.GET(ACCOUNTS, { params: { path, query: { per_page: 200 } } })),
  });
  const create = async (form: FormData) => {
    const days = filled(form, "expiresInDays");
    const body: Schemas["CreateServiceAccountParams"] = {
      name: filled(form, "name") ?? "",
      description: filled(form, "description"),
      role: form.get("role") as Schemas["Role"],
      actions: chosenActions(form),
      pattern: filled(form, "pattern"),
      expiresInDays: days ? Number(days) : undefined,
    };
    const { data } = await act(whole(api.POST(ACCOUNTS, { params: { path }, body })), key);
    setSecret(data.token);
  };
  const createDialog = (
    <FormDialog
      trigger={(open) => (
        <Button look="main" onClick={open}>
          <Plus aria-hidden />
          {t("service.create")}
        </Button>
      )}
      title={t("service.create")}
      description={t("service.createText")}
      submit={t("service.create")}
      onSubmit={create}
    >
      <TextField label={t("organizations.name")} hint={t("nameHint")} name="name" autoComplete="off" required />
      <TextField label={t("box.description")} hint={t("optional")} name="description" />
      <Select label={t("word.role")} name="role" defaultValue="member">
        <RoleOptions />
      </Select>
      <ActionChoice />
      <TextField label={t("scope.pattern")} hint={t("scope.patternHint")} name="pattern" className="input mono" />
      <TextField label={t("scope.days")} hint={t("optional")} name="expiresInDays" type="number" min={1} />
    </FormDialog>
  );
  return (
    <OrganizationPage name={organization} title={t("organization.services")}>
      {() => (
        <section className="stack">
          <div className="row between">
            <h2>{t("organization.services")}</h2>
            {list.data && list.data.data.length > 0 && createDialog}
          </div>
          <ProblemNotice problem={list.error && asProblem(list.error)} />
          {!list.data && !list.error && <Bones />}
          {list.data?.data.length === 0 && (
            <Empty icon={Bot} title={t("service.none")}>
              <p>{t("service.noneText")}</p>
              {createDialog}
            </Empty>
          )}
          {list.data && list.data.data.length > 0 && (
            <Table heads={[t("organizations.name"), t("word.role"), t("scope.until"), t("scope.used"), undefined]}>
              {list.data.data.map((one) => (
                <Row key={one.id} organization={organization} account={one} onSecret={setSecret} />
              ))}
            </Table>
          )}
          <SecretDialog title={t("service.secret")} secret={secret} onClose={() => setSecret(undefined)} />
        </section>
      )}
    </OrganizationPage>
  );
}

interface RowProps {
  organization: string;
  account: Schemas["ServiceAccountView"];
  onSecret: (secret: string) => void;
}

function Row({ organization, account, onSecret }: RowProps) {
  const { t } = useTranslation();
  const key = ["organization", organization, "service-accounts"];
  const params = { path: { organization, service: account.name } };
  const { name, suspended } = account;
  const suspend = useMutation({
    mutationFn: () => act(whole(api.PUT(`${ACCOUNTS}/{service}`, { params, body: { suspended: !suspended } })), key),
    onError: tellProblem,
  });
  const rotate = async () => {
    const { data } = await act(whole(api.PUT(`${ACCOUNTS}/{service}/secret`, { params, body: {} })), key);
    onSecret(data.token);
  };
  return (
    <tr>
      <td>
        <span className="stack tight-lines">
          <span className="row">
            <span className="name mono">{name}</span>
            {suspended && <Badge tone="warn">{t("service.suspended")}</Badge>}
          </span>
          <span className="soft small">{account.description || scopeText(account.scope, t)}</span>
        </span>
      </td>
      <td data-label={t("word.role")}>{t(`role.${account.role}`)}</td>
      <td data-label={t("scope.until")}>{date(account.expiresAt)}</td>
      <td data-label={t("scope.used")} className="soft">
        {account.lastUsedAt ? <Ago at={account.lastUsedAt} /> : t("scope.never")}
      </td>
      <Actions>
        <IconButton
          size="small"
          look="quiet"
          icon={suspended ? Play : Pause}
          label={t(suspended ? "service.resume" : "service.suspend", { name })}
          busy={suspend.isPending}
          onClick={() => suspend.mutate()}
        />
        <FormDialog
          trigger={(open) => (
            <IconButton
              size="small"
              look="quiet"
              icon={KeyRound}
              label={t("service.rotate", { name })}
              onClick={open}
            />
          )}
          title={t("service.rotate", { name })}
          description={t("service.rotateText")}
          submit={t("service.rotateDo")}
          onSubmit={rotate}
        />
        <FormDialog
          trigger={(open) => (
            <IconButton size="small" look="quiet" icon={Trash2} label={t("service.delete", { name })} onClick={open} />
          )}
          danger
          title={t("service.delete", { name })}
          description={t("service.deleteText")}
          submit={t("delete")}
          onSubmit={() => act(whole(api.DELETE(`${ACCOUNTS}/{service}`, { params })), key)}
        />
      </Actions>
    </tr>
  );
}
