// One's own organizations, and those that everybody sees.
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { Building2, Plus } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, ok } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import { openOrganizations, refresh, useProfile } from "../api/queries.ts";
import { useSession } from "../api/session.ts";
import { Avatar } from "../ui/avatar.tsx";
import { FormDialog, filled } from "../ui/dialog.tsx";
import { Pager } from "../ui/pager.tsx";
import { Bones, Button, Empty, ProblemNotice, Select, TextField } from "../ui/parts.tsx";
import { useTitle } from "../ui/title.ts";
import { SearchBox } from "./discover.tsx";

const ACCESS_MODES = ["private", "invite_only", "request_to_join"] as const;

export function Organizations() {
  const { t } = useTranslation();
  const current = useSession();
  const me = useProfile();
  const [search, setSearch] = useState<{ q?: string; page?: number }>({});
  const open = useQuery(openOrganizations(search));
  useTitle(t("nav.organizations"));
  return (
    <div className="wrap stack loose">
      <div className="row between">
        <h1>{t("nav.organizations")}</h1>
        {current && <CreateOrganization />}
      </div>
      {me && (
        <section className="stack">
          <h2>{t("home.yours")}</h2>
          {me.organizations.length === 0 ? (
            <Empty icon={Building2} title={t("organizations.none")}>
              <p>{t("organizations.noneText")}</p>
            </Empty>
          ) : (
            <ul className="cards">
              {me.organizations.map(({ name, role }) => (
                <li key={name}>
                  <article className="card row">
                    <Avatar name={name} look="square" />
                    <OrganizationLink name={name} />
                    <span className="soft small">{t(`role.${role}`)}</span>
                  </article>
                </li>
              ))}
            </ul>
          )}
        </section>
      )}
      <section className="stack">
        <h2>{t("organizations.open")}</h2>
        <SearchBox
          label={t("organizations.search")}
          value={search.q ?? ""}
          onValue={(q) => setSearch({ q: q || undefined })}
        />
        {open.error && <ProblemNotice problem={asProblem(open.error)} />}
        {!open.data && !open.error && <Bones />}
        {open.data?.data.length === 0 && <p className="soft">{t("organizations.nothing")}</p>}
        {open.data && open.data.data.length > 0 && (
          <ul className="list">
            {open.data.data.map((one) => (
              <li key={one.name} className="hit row">
                <Avatar name={one.name} look="square" />
                <div className="stack tight-lines">
                  <OrganizationLink name={one.name} />
                  <span className="soft small clamp">{one.description}</span>
                </div>
                <span className="soft small number end-of-row">
                  {t("organizations.boxes", { count: one.publicBoxCount })}
                </span>
              </li>
            ))}
          </ul>
        )}
        <Pager page={open.data?.page} onPage={(page) => setSearch({ ...search, page })} />
      </section>
    </div>
  );
}

function OrganizationLink({ name }: { name: string }) {
  return (
    <Link to="/$organization" params={{ organization: name }} className="name cover">
      {name}
    </Link>
  );
}

function CreateOrganization() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const create = async (form: FormData) => {
    const { name } = await ok(
      api.POST("/api/organization", {
        body: {
          name: filled(form, "name") ?? "",
          description: filled(form, "description"),
          email: filled(form, "email"),
          accessMode: form.get("accessMode") as (typeof ACCESS_MODES)[number],
        },
      }),
    );
    await refresh(["profile"], ["organizations"]);
    navigate({ to: "/$organization", params: { organization: name } });
  };
  return (
    <FormDialog
      trigger={(open) => (
        <Button look="main" onClick={open}>
          <Plus aria-hidden />
          {t("organizations.create")}
        </Button>
      )}
      title={t("organizations.create")}
      description={t("organizations.createText")}
      submit={t("organizations.create")}
      onSubmit={create}
    >
      <TextField label={t("organizations.name")} hint={t("nameHint")} name="name" autoComplete="off" required />
      <TextField label={t("organizations.description")} hint={t("optional")} name="description" />
      <TextField label={t("organizations.email")} hint={t("optional")} name="email" type="email" />
      <Select label={t("organizations.access")} hint={t("organizations.accessHint")} name="accessMode">
        {ACCESS_MODES.map((mode) => (
          <option key={mode} value={mode}>
            {t(`access.${mode}`)}
          </option>
        ))}
      </Select>
    </FormDialog>
  );
}
