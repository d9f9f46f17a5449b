import { type ErrorComponentProps, Link } from "@tanstack/react-router";
import { Compass } from "lucide-react";
import { useTranslation } from "react-i18next";
import { asProblem, type Problem } from "../api/problem.ts";
import { useSession } from "../api/session.ts";
import { Button, Empty, ProblemNotice } from "../ui/parts.tsx";
import { useTitle } from "../ui/title.ts";

/** There is nothing here, or nothing that this caller may know of: the server tells neither from the other. */
export function NotFound() {
  const { t } = useTranslation();
  const current = useSession();
  useTitle(t("notFound.title"));
  return (
    <div className="wrap middle">
      <Empty icon={Compass} title={t("notFound.title")} isPage>
        <p>{current ? t("notFound.text") : t("notFound.signIn")}</p>
        <div className="row">
          {!current && (
            <Link to="/login" search={{ next: location.pathname }} className="button main">
              {t("signIn.do")}
            </Link>
          )}
          <Link to="/discover" className="button">
            {t("nav.discover")}
          </Link>
        </div>
      </Empty>
    </div>
  );
}

/** What a page shows when what it is about could not be read. */
export function ReadProblem({ problem, retry }: { problem: Problem; retry?: () => void }) {
  const { t } = useTranslation();
  // what cannot be a name names nothing
  if (problem.status === 404 || problem.status === 400) return <NotFound />;
  return (
    <div className="wrap middle stack">
      <h1>{t("problem.title")}</h1>
      <ProblemNotice problem={problem} />
      {retry && (
        <div>
          <Button onClick={retry}>{t("retry")}</Button>
        </div>
      )}
    </div>
  );
}

/** A page that broke, or whose file could not be fetched: after an update there are other ones. */
export function PageProblem({ error }: ErrorComponentProps) {
  const { t } = useTranslation();
  useTitle(t("problem.title"));
  const isFetch = error instanceof TypeError && /module|import/i.test(error.message);
  return (
    <div className="wrap middle stack">
      <h1>{t("problem.title")}</h1>
      {isFetch ? <p className="lead">{t("problem.updated")}</p> : <ProblemNotice problem={asProblem(error)} />}
      <div>
        <Button look="main" onClick={() => location.reload()}>
          {t("reload")}
        </Button>
      </div>
    </div>
  );
}
