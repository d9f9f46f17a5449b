// Boxes in a list: as cards, or as rows where many have to be seen at once.
import { Link } from "@tanstack/react-router";
import { Download, Lock } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Schemas } from "../api/types.ts";
import { count } from "./format.ts";
import { Badge } from "./parts.tsx";
import { Ago } from "./time.tsx";

type Summary = Schemas["BoxSummaryView"];

export function BoxCards({ boxes }: { boxes: Summary[] }) {
  return (
    <ul className="cards">
      {boxes.map((one) => (
        <li key={one.id}>
          <article className="card">
            <div className="row between">
              <BoxLink box={one} />
              <Visibility box={one} />
            </div>
            <p className="soft small clamp">{one.shortDescription}</p>
            <Facts box={one} />
          </article>
        </li>
      ))}
    </ul>
  );
}

export function BoxRows({ boxes, short }: { boxes: Summary[]; short?: boolean }) {
  return (
    <ul className="list">
      {boxes.map((one) => (
        <li key={one.id} className="hit stack tight">
          <div className="row between">
            <BoxLink box={one} />
            <Visibility box={one} />
          </div>
          {one.shortDescription && <p className="soft small clamp">{one.shortDescription}</p>}
          {!short && <Facts box={one} />}
        </li>
      ))}
    </ul>
  );
}

function BoxLink({ box }: { box: Summary }) {
  return (
    <Link to="/$organization/$box" params={{ organization: box.organization, box: box.name }} className="name cover">
      <span className="of">{box.organization}/</span>
      {box.name}
    </Link>
  );
}

function Visibility({ box }: { box: Summary }) {
  const { t } = useTranslation();
  if (box.isPublic) return null;
  return (
    <Badge>
      <Lock aria-hidden />
      {t("box.private")}
    </Badge>
  );
}

function Facts({ box }: { box: Summary }) {
  const { t } = useTranslation();
  return (
    <div className="row small soft">
      <span className="row number facts-download">
        <Download aria-hidden size={14} />
        <span className="unseen">{t("box.downloads")}</span>
        {count(box.downloadCount)}
      </span>
      <span>
        {t("box.updated")} <Ago at={box.updatedAt} />
      </span>
      {box.tags.slice(0, 4).map((tag) => (
        <Link key={tag} to="/discover" search={{ tag }} className="tag above">
          {tag}
        </Link>
      ))}
    </div>
  );
}
