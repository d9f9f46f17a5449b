// Where the browser comes back to from a site that somebody signs in at.
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { arrivedWith } from "../api/arrival.ts";
import { api, ok } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import { keep } from "../api/session.ts";
import { nextPath } from "../next.ts";
import { Notice, ProblemNotice } from "../ui/parts.tsx";
import { useTitle } from "../ui/title.ts";

export function SignInBack() {
  const { t } = useTranslation();
  const { method } = useParams({ from: "/login/callback/$method" });
  const navigate = useNavigate();
  useTitle(t("signIn.do"));
  // asked once, whoever looks: what came back is good for one time
  const { data, error } = useQuery({
    queryKey: ["sign-in-back", method, arrivedWith],
    queryFn: () =>
      ok(
        api.POST("/api/auth/methods/{method}/finish", {
          params: { path: { method } },
          body: { answer: Object.fromEntries(new URLSearchParams(arrivedWith)) },
        }),
      ),
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
  });
  useEffect(() => {
    if (!data) return;
    keep(data);
    navigate({ href: nextPath(data.next) ?? "/", replace: true });
  }, [data, navigate]);
  return (
    <div className="wrap narrow stack">
      <h1>{t("signIn.title")}</h1>
      {error ? (
        <>
          <ProblemNotice problem={asProblem(error)} />
          <Link to="/login" className="button main">
            {t("signIn.again")}
          </Link>
        </>
      ) : (
        <Notice role="status">{t("signIn.comingBack")}</Notice>
      )}
    </div>
  );
}
