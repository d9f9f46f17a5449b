// What can be done with a version as a whole: release, revoke, deprecate, write notes, delete.
import { Menu } from "@base-ui/react/menu";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Ellipsis, Pencil, Rocket, Trash2, TriangleAlert, Undo2 } from "lucide-react";
import { useRef } from "react";
import { useTranslation } from "react-i18next";
import { api, whole } from "../api/client.ts";
import { artifacts, refreshBox, useMay, type VersionPath } from "../api/queries.ts";
import type { Schemas } from "../api/types.ts";
import { FormDialog, filled } from "../ui/dialog.tsx";
import { Button, Check, TextArea, TextField } from "../ui/parts.tsx";
import { toast } from "../ui/toast.tsx";

const VERSION = "/api/organization/{organization}/box/{box}/version/{version}";

interface ActionsProps {
  path: VersionPath;
  version: Schemas["VersionView"];
}

export function VersionActions({ path, version }: ActionsProps) {
  const may = useMay(path);
  if (!may("version", "update", "release", "revoke", "delete")) return null;
  return (
    <div className="row">
      {version.status !== "released" && may("version", "release") && <Release path={path} version={version} />}
      <More path={path} version={version} />
    </div>
  );
}

async function after(path: VersionPath, asked: Promise<{ message: string }>): Promise<void> {
  toast((await asked).message);
  await refreshBox(path);
}

function Release({ path, version }: ActionsProps) {
  const { t } = useTranslation();
  const hasFile = useQuery(artifacts(path)).data?.some(({ file }) => file);
  return (
    <FormDialog
      trigger={(open) => (
        <Button look="main" disabled={!hasFile} title={hasFile ? undefined : t("version.needsFile")} onClick={open}>
          <Rocket aria-hidden />
          {t("version.release")}
        </Button>
      )}
      title={t("version.releaseOf", { version: version.versionNumber })}
      description={t("version.releaseText")}
      submit={t("version.release")}
      onSubmit={() => after(path, whole(api.PUT(`${VERSION}/release`, { params: { path } })))}
    />
  );
}

function More({ path, version }: ActionsProps) {
  const { t } = useTranslation();
  const open = useRef<Record<string, () => void>>({});
  const hold = (name: string) => (begin: () => void) => {
    open.current[name] = begin;
    return <span hidden />;
  };
  const may = useMay(path);
  const [isReleased, mayUpdate] = [version.status === "released", may("version", "update")];
  const items = [
    { name: "edit", icon: Pencil, label: t("version.edit"), shown: mayUpdate },
    { name: "deprecate", icon: TriangleAlert, label: t("version.deprecate"), shown: isReleased && mayUpdate },
    { name: "revoke", icon: Undo2, label: t("version.revoke"), shown: isReleased && may("version", "revoke") },
    { name: "delete", icon: Trash2, label: t("version.delete"), shown: may("version", "delete") },
  ];
  return (
    <>
      <Menu.Root>
        <Menu.Trigger className="button icon" aria-label={t("actions")}>
          <Ellipsis aria-hidden />
        </Menu.Trigger>
        <Menu.Portal>
          <Menu.Positioner sideOffset={6} align="end" className="above-all">
            <Menu.Popup className="menu">
              {items
                .filter(({ shown }) => shown)
                .map(({ name, icon: Icon, label }) => (
                  <Menu.Item key={name} className="menu-item" onClick={() => open.current[name]?.()}>
                    <Icon aria-hidden />
                    {label}
                  </Menu.Item>
                ))}
            </Menu.Popup>
          </Menu.Positioner>
        </Menu.Portal>
      </Menu.Root>
      <Edit path={path} version={version} trigger={hold("edit")} />
      <Deprecate path={path} version={version} trigger={hold("deprecate")} />
      <Revoke path={path} version={version} trigger={hold("revoke")} />
      <Delete path={path} version={version} trigger={hold("delete")} />
    </>
  );
}

type Trigger = Pick<React.ComponentProps<typeof FormDialog>, "trigger">;

function Edit({ path, version, trigger }: ActionsProps & Trigger) {
  const { t } = useTranslation();
  const save = (form: FormData) => {
    const body = {
      description: filled(form, "description") ?? "",
      releaseNotes: filled(form, "releaseNotes") ?? "",
    };
    return after(path, whole(api.PUT(VERSION, { params: { path }, body })));
  };
  return (
    <FormDialog trigger={trigger} title={t("version.edit")} submit={t("save")} onSubmit={save}>
      <TextArea
        label={t("version.description")}
        hint={t("markdownHint")}
        name="description"
        defaultValue={version.description}
      />
      <TextArea
        label={t("version.notes")}
        hint={t("markdownHint")}
        name="releaseNotes"
        rows={8}
        defaultValue={version.releaseNotes ?? ""}
      />
    </FormDialog>
  );
}

function Deprecate({ path, version, trigger }: ActionsProps & Trigger) {
  const { t } = useTranslation();
  const save = (form: FormData) => {
    const deprecated = form.get("deprecated") === "on";
    const body = { deprecated, ...(deprecated && { deprecationReason: filled(form, "reason") ?? "" }) };
    return after(path, whole(api.PUT(VERSION, { params: { path }, body })));
  };
  return (
    <FormDialog
      trigger={trigger}
      title={t("version.deprecate")}
      description={t("version.deprecateText")}
      submit={t("save")}
      onSubmit={save}
    >
      <Check label={t("version.isDeprecated")} name="deprecated" defaultChecked={version.deprecated} />
      <TextField label={t("version.reason")} name="reason" defaultValue={version.deprecationReason ?? ""} />
    </FormDialog>
  );
}

function Revoke({ path, version, trigger }: ActionsProps & Trigger) {
  const { t } = useTranslation();
  return (
    <FormDialog
      trigger={trigger}
      danger
      title={t("version.revokeOf", { version: version.versionNumber })}
      description={t("version.revokeText")}
      submit={t("version.revoke")}
      onSubmit={() => after(path, whole(api.PUT(`${VERSION}/revoke`, { params: { path } })))}
    />
  );
}

function Delete({ path, version, trigger }: ActionsProps & Trigger) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const remove = async () => {
    const { message } = await whole(api.DELETE(VERSION, { params: { path } }));
    toast(message);
    navigate({ to: "/$organization/$box", params: path });
    await refreshBox(path);
  };
  return (
    <FormDialog
      trigger={trigger}
      danger
      title={t("version.deleteOf", { version: version.versionNumber })}
      description={t("version.deleteText")}
      submit={t("delete")}
      confirm={version.versionNumber}
      onSubmit={remove}
    />
  );
}
