import { useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Bell, BellOff, Lock, Settings } from "lucide-react";
import { useTranslation } from "react-i18next";
import { api, whole } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import { refresh, useMay, watches } from "../api/queries.ts";
import { useSession } from "../api/session.ts";
import type { Schemas } from "../api/types.ts";
import { Badge, Button } from "../ui/parts.tsx";
import { toast } from "../ui/toast.tsx";

const BOX = "/api/organization/{organization}/box/{box}";

/** The name of a box, with the way to where it belongs, and what can be done with it. */
export function BoxHead({ box }: { box: Schemas["BoxView"] }) {
  const { t } = useTranslation();
  const params = { organization: box.organization, box: box.name };
  const may = useMay(params);
  return (
    <header className="head">
      {box.hasArtwork && (
        <img
          className="artwork"
          src={`/api/organization/${box.organization}/box/${box.name}/artwork?v=${box.updatedAt}`}
          alt=""
        />
      )}
      <div className="grow stack tight">
        <div className="row">
          <h1>
            <Link to="/$organization" params={{ organization: box.organization }} className="name">
              <span className="of">{box.organization}</span>
            </Link>
            <span className="of-slash">/</span>
            <Link to="/$organization/$box" params={params} className="name">
              {box.name}
            </Link>
          </h1>
          {!box.isPublic && (
            <Badge>
              <Lock aria-hidden />
              {t("box.private")}
            </Badge>
          )}
        </div>
        {box.shortDescription && <p className="lead">{box.shortDescription}</p>}
        {box.tags.length > 0 && (
          <div className="row">
            {box.tags.map((tag) => (
              <Link key={tag} to="/discover" search={{ tag }} className="tag">
                {tag}
              </Link>
            ))}
          </div>
        )}
      </div>
      <div className="row">
        {may("box", "watch") && <Watch box={box} />}
        {may("box", "update", "delete", "transfer") && (
          <Link to="/$organization/$box/settings" params={params} className="button">
            <Settings aria-hidden />
            {t("box.settings")}
          </Link>
        )}
      </div>
    </header>
  );
}

function Watch({ box }: { box: Schemas["BoxView"] }) {
  const { t } = useTranslation();
  const current = useSession();
  const watched = useQuery(watches(current?.username)).data?.some(({ id }) => id === box.id);
  const path = { organization: box.organization, box: box.name };
  const toggle = useMutation({
    mutationFn: () =>
      whole(watched ? api.DELETE(`${BOX}/watch`, { params: { path } }) : api.PUT(`${BOX}/watch`, { params: { path } })),
    onSuccess: ({ message }) => {
      toast(message);
      return refresh(["watches"]);
    },
    onError: (error) => toast(asProblem(error).message, "bad"),
  });
  if (!current || watched === undefined) return null;
  const Icon = watched ? BellOff : Bell;
  return (
    <Button busy={toggle.isPending} aria-pressed={watched} title={t("box.watchHint")} onClick={() => toggle.mutate()}>
      <Icon aria-hidden />
      {watched ? t("box.unwatch") : t("box.watch")}
    </Button>
  );
}
