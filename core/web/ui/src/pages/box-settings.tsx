// What a box says of itself, who sees it, and its end.
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { Trash2 } from "lucide-react";
import { useTranslation } from "react-i18next";
import { api, type Tagged, whole } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import { type BoxPath, box, organization, queryClient, refreshBox, useMay } from "../api/queries.ts";
import type { Schemas } from "../api/types.ts";
import { FormDialog, filled } from "../ui/dialog.tsx";
import { KeptForm } from "../ui/kept-form.tsx";
import { Button, Check, Notice, PageBones, TextArea, TextField } from "../ui/parts.tsx";
import { useTitle } from "../ui/title.ts";
import { toast } from "../ui/toast.tsx";
import { Artwork, BoxBadge, Transfer } from "./box-more.tsx";
import { ReadProblem } from "./not-found.tsx";
import { Upstream } from "./upstream.tsx";

const BOX = "/api/organization/{organization}/box/{box}";

export function BoxSettings() {
  const { t } = useTranslation();
  const path = useParams({ from: "/$organization/$box/settings" });
  const about = useQuery(box(path));
  const may = useMay(path);
  const upstream = useQuery(organization(path.organization)).data?.mirrorOf;
  useTitle(`${t("box.settings")} · ${path.organization}/${path.box}`);
  if (about.error) return <ReadProblem problem={asProblem(about.error)} retry={about.refetch} />;
  if (!about.data) return <PageBones />;
  return (
    <div className="wrap middle stack loose">
      <div className="stack tight">
        <p className="crumbs">
          <Link to="/$organization/$box" params={path}>
            {path.organization}/{path.box}
          </Link>
        </p>
        <h1>{t("box.settings")}</h1>
      </div>
      {upstream && (
        <Notice>
          <p>{t("mirror.boxReadOnly", { name: path.organization })}</p>
          <p>
            <Upstream url={upstream} />
          </p>
        </Notice>
      )}
      {may("box", "update") && (
        <>
          <Texts key={about.data.id} path={path} newest={about.data} />
          <Artwork path={path} box={about.data} />
        </>
      )}
      <BoxBadge path={path} box={about.data} />
      {may("box", "transfer") && <Transfer path={path} />}
      {may("box", "delete") && <Danger path={path} isMirrored={!!about.data.origin} />}
    </div>
  );
}

const words = (text: string | undefined) => (text ?? "").split(/[\s,]+/).filter(Boolean);

function Texts({ path, newest }: { path: BoxPath; newest: Schemas["BoxView"] & Tagged }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  return (
    <KeptForm
      newest={newest}
      fields={{
        name: t("box.name"),
        shortDescription: t("box.shortDescription"),
        isPublic: t("box.public"),
        tags: t("box.tags"),
        description: t("box.description"),
        readme: "README",
        homepageUrl: t("box.homepage"),
        sourceUrl: t("box.source"),
        documentationUrl: t("box.documentation"),
      }}
      read={() => queryClient.fetchQuery({ ...box(path), staleTime: 0 })}
      save={(form, header) =>
        whole(
          api.PUT(BOX, {
            params: { path, header },
            body: {
              name: filled(form, "name") ?? "",
              shortDescription: filled(form, "shortDescription") ?? "",
              description: filled(form, "description") ?? "",
              readme: filled(form, "readme") ?? "",
              tags: words(filled(form, "tags")),
              homepageUrl: filled(form, "homepageUrl") ?? null,
              sourceUrl: filled(form, "sourceUrl") ?? null,
              documentationUrl: filled(form, "documentationUrl") ?? null,
              isPublic: form.get("isPublic") === "on",
            },
          }),
        )
      }
      onSaved={async ({ data, message }) => {
        toast(message);
        await refreshBox(path);
        navigate({ to: "/$organization/$box", params: { organization: data.organization, box: data.name } });
      }}
    >
      {(now) => (
        <>
          <TextField label={t("box.name")} hint={t("box.renameHint")} name="name" defaultValue={now.name} required />
          <TextField label={t("box.shortDescription")} name="shortDescription" defaultValue={now.shortDescription} />
          <Check label={t("box.public")} hint={t("box.publicHint")} name="isPublic" defaultChecked={now.isPublic} />
          <TextField
            label={t("box.tags")}
            hint={t("box.tagsHint")}
            name="tags"
            defaultValue={now.tags.join(", ")}
            autoComplete="off"
          />
          <TextArea
            label={t("box.description")}
            hint={t("markdownHint")}
            name="description"
            defaultValue={now.description}
          />
          <TextArea
            label="README"
            hint={t("markdownHint")}
            name="readme"
            rows={12}
            className="input mono"
            defaultValue={now.readme ?? ""}
          />
          <TextField label={t("box.homepage")} name="homepageUrl" type="url" defaultValue={now.homepageUrl ?? ""} />
          <TextField label={t("box.source")} name="sourceUrl" type="url" defaultValue={now.sourceUrl ?? ""} />
          <TextField
            label={t("box.documentation")}
            name="documentationUrl"
            type="url"
            defaultValue={now.documentationUrl ?? ""}
          />
        </>
      )}
    </KeptForm>
  );
}

function Danger({ path, isMirrored }: { path: BoxPath; isMirrored: boolean }) {
  const { t } = useTranslation();
  const text = t(isMirrored ? "mirror.deleteText" : "box.deleteText");
  const navigate = useNavigate();
  const remove = async () => {
    const { message } = await whole(api.DELETE(BOX, { params: { path } }));
    toast(message);
    await refreshBox(path);
    navigate({ to: "/$organization", params: { organization: path.organization } });
  };
  return (
    <section className="card stack">
      <h2>{t("box.delete")}</h2>
      <p className="soft">{text}</p>
      <div>
        <FormDialog
          trigger={(open) => (
            <Button look="danger" onClick={open}>
              <Trash2 aria-hidden />
              {t("box.delete")}
            </Button>
          )}
          danger
          title={t("box.delete")}
          description={text}
          submit={t("delete")}
          confirm={path.box}
          onSubmit={remove}
        />
      </div>
    </section>
  );
}
