// Settings of a box beside its texts: its picture, its badge, and another organization for it.
import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { ArrowRightLeft } from "lucide-react";
import { useRef } from "react";
import { useTranslation } from "react-i18next";
import { act, tellProblem } from "../api/act.ts";
import { api, whole } from "../api/client.ts";
import { type BoxPath, refreshBox, useProfile } from "../api/queries.ts";
import type { Schemas } from "../api/types.ts";
import { FormDialog, filled } from "../ui/dialog.tsx";
import { Button, Select } from "../ui/parts.tsx";
import { Snippet } from "../ui/snippet.tsx";

const BOX = "/api/organization/{organization}/box/{box}";

interface BoxProps {
  path: BoxPath;
  box: Schemas["BoxView"];
}

export function Artwork({ path, box }: BoxProps) {
  const { t } = useTranslation();
  const input = useRef<HTMLInputElement>(null);
  const touched = [["box", path.organization, path.box]];
  const put = useMutation({
    mutationFn: (file: File) =>
      act(
        whole(
          api.PUT(`${BOX}/artwork`, {
            params: { path },
            // bytes are a string to the generator
            body: file as unknown as string,
            bodySerializer: (bytes) => bytes as unknown as File,
            headers: { "content-type": file.type },
          }),
        ),
        ...touched,
      ),
    onError: tellProblem,
  });
  const remove = useMutation({
    mutationFn: () => act(whole(api.DELETE(`${BOX}/artwork`, { params: { path } })), ...touched),
    onError: tellProblem,
  });
  return (
    <section className="card stack">
      <h2>{t("box.artwork")}</h2>
      <p className="soft">{t("profile.pictureHint")}</p>
      <div className="row">
        <input
          ref={input}
          type="file"
          hidden
          accept="image/png,image/jpeg,image/webp"
          aria-label={t("profile.picture")}
          onChange={(event) => {
            const [file] = event.target.files ?? [];
            if (file) put.mutate(file);
            event.target.value = "";
          }}
        />
        <Button busy={put.isPending} onClick={() => input.current?.click()}>
          {t("profile.picture")}
        </Button>
        {box.hasArtwork && (
          <Button look="quiet" busy={remove.isPending} onClick={() => remove.mutate()}>
            {t("remove")}
          </Button>
        )}
      </div>
    </section>
  );
}

/** Only public boxes have one. */
export function BoxBadge({ path, box }: BoxProps) {
  const { t } = useTranslation();
  if (!box.isPublic) return null;
  const page = `${location.origin}/${path.organization}/${path.box}`;
  const picture = `/badge/${path.organization}/${path.box}.svg`;
  return (
    <section className="card stack">
      <h2>{t("box.badge")}</h2>
      <p className="soft">{t("box.badgeText")}</p>
      <img src={picture} alt={t("box.badge")} height={20} />
      <Snippet text={`[![${path.organization}/${path.box}](${location.origin}${picture})](${page})`} label="Markdown" />
    </section>
  );
}

export function Transfer({ path }: { path: BoxPath }) {
  const { t } = useTranslation();
  const me = useProfile();
  const navigate = useNavigate();
  const others = me?.organizations.filter(({ name }) => name !== path.organization) ?? [];
  if (others.length === 0) return null;
  const transfer = async (form: FormData) => {
    const organization = filled(form, "organization") ?? "";
    const { data } = await act(whole(api.PUT(`${BOX}/transfer`, { params: { path }, body: { organization } })));
    await refreshBox(path);
    navigate({ to: "/$organization/$box", params: { organization: data.organization, box: data.name } });
  };
  return (
    <section className="card stack">
      <h2>{t("box.transfer")}</h2>
      <p className="soft">{t("box.transferText")}</p>
      <div>
        <FormDialog
          trigger={(open) => (
            <Button onClick={open}>
              <ArrowRightLeft aria-hidden />
              {t("box.transfer")}
            </Button>
          )}
          title={t("box.transfer")}
          description={t("box.transferText")}
          submit={t("box.transfer")}
          confirm={path.box}
          onSubmit={transfer}
        >
          <Select label={t("word.organization")} name="organization">
            {others.map(({ name }) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </Select>
        </FormDialog>
      </div>
    </section>
  );
}
