// An organization: what it is, and its boxes.
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { CopyCheck, Package, Plus } from "lucide-react";
import { useTranslation } from "react-i18next";
import { api, ok } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import { boxesOf, organization, refresh, useMay } from "../api/queries.ts";
import { BoxRows } from "../ui/box-list.tsx";
import { FormDialog, filled } from "../ui/dialog.tsx";
import { Guide } from "../ui/guide.tsx";
import { Pager } from "../ui/pager.tsx";
import { Bones, Button, Check, Empty, PageBones, ProblemNotice, TextField } from "../ui/parts.tsx";
import { useTitle } from "../ui/title.ts";
import { SearchBox } from "./discover.tsx";
import { ReadProblem } from "./not-found.tsx";
import { OrganizationHead } from "./organization-head.tsx";
import { submit } from "./sign-in.tsx";

export function Organization() {
  const { t } = useTranslation();
  const { organization: name } = useParams({ from: "/$organization" });
  const search = useSearch({ from: "/$organization" });
  const navigate = useNavigate();
  const mayCreate = useMay({ organization: name })("box", "create");
  const about = useQuery(organization(name));
  const boxes = useQuery(boxesOf(name, search));
  useTitle(name);
  if (about.error) return <ReadProblem problem={asProblem(about.error)} retry={about.refetch} />;
  if (!about.data) return <PageBones />;
  const change = (next: typeof search) =>
    navigate({
      to: "/$organization",
      params: { organization: name },
      search: { ...search, page: undefined, ...next },
      replace: true,
    });
  const isEmpty = boxes.data?.page.total === 0 && !search.q;
  return (
    <div className="wrap stack">
      <OrganizationHead organization={about.data} />
      {!isEmpty && (
        <div className="row between">
          <div className="grow-search">
            <SearchBox value={search.q ?? ""} onValue={(q) => change({ q: q || undefined })} />
          </div>
          {mayCreate && <CreateBox organization={about.data.name} />}
        </div>
      )}
      {boxes.error && <ProblemNotice problem={asProblem(boxes.error)} />}
      {!boxes.data && !boxes.error && <Bones />}
      {isEmpty && mayCreate && <Guide at="box" />}
      {isEmpty && about.data.mirrorOf && (
        <Empty icon={CopyCheck} title={t("mirror.noBoxes")}>
          <p>{t("mirror.noBoxesText")}</p>
          <LookFor organization={name} />
        </Empty>
      )}
      {isEmpty && !about.data.mirrorOf && (
        <Empty icon={Package} title={t("organization.noBoxes")}>
          <p>{mayCreate ? t("organization.noBoxesMember") : t("organization.noBoxesVisitor")}</p>
          {mayCreate && <CreateBox organization={about.data.name} />}
        </Empty>
      )}
      {boxes.data && boxes.data.data.length > 0 && <BoxRows boxes={boxes.data.data} />}
      {boxes.data && boxes.data.data.length === 0 && !isEmpty && <p className="soft">{t("discover.nothing")}</p>}
      {about.data.mirrorOf && boxes.data && !isEmpty && <LookFor organization={name} sought={search.q} />}
      <Pager page={boxes.data?.page} onPage={(page) => change({ page })} />
    </div>
  );
}

/** A mirror has what somebody asked it for: to go to a box is to ask for it. */
function LookFor({ organization, sought }: { organization: string; sought?: string }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const look = (form: FormData) => {
    const box = filled(form, "box");
    if (box) navigate({ to: "/$organization/$box", params: { organization, box } });
  };
  return (
    <form key={sought} className="row low" onSubmit={submit(look)}>
      <TextField
        label={t("mirror.lookFor")}
        name="box"
        className="input mono"
        defaultValue={sought}
        autoComplete="off"
        required
      />
      <Button type="submit">{t("mirror.look")}</Button>
    </form>
  );
}

function CreateBox({ organization }: { organization: string }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const create = async (form: FormData) => {
    const made = await ok(
      api.POST("/api/organization/{organization}/box", {
        params: { path: { organization } },
        body: {
          name: filled(form, "name") ?? "",
          shortDescription: filled(form, "shortDescription"),
          isPublic: form.get("isPublic") === "on",
        },
      }),
    );
    await refresh(["organization", organization], ["boxes"]);
    navigate({ to: "/$organization/$box", params: { organization, box: made.name } });
  };
  return (
    <FormDialog
      trigger={(open) => (
        <Button look="main" onClick={open}>
          <Plus aria-hidden />
          {t("box.create")}
        </Button>
      )}
      title={t("box.create")}
      description={t("box.createText")}
      submit={t("box.create")}
      onSubmit={create}
    >
      <TextField label={t("box.name")} hint={t("nameHint")} name="name" autoComplete="off" required />
      <TextField label={t("box.shortDescription")} hint={t("optional")} name="shortDescription" />
      <Check label={t("box.public")} hint={t("box.publicHint")} name="isPublic" />
    </FormDialog>
  );
}
