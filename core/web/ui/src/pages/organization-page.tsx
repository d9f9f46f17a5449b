import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import type { Tagged } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import { organization } from "../api/queries.ts";
import type { Schemas } from "../api/types.ts";
import { PageBones } from "../ui/parts.tsx";
import { useTitle } from "../ui/title.ts";
import { ReadProblem } from "./not-found.tsx";
import { OrganizationHead } from "./organization-head.tsx";

interface OrganizationPageProps {
  name: string;
  title: string;
  children: (organization: Schemas["OrganizationView"] & Tagged) => ReactNode;
}

/** The frame of every page of an organization's administration. */
export function OrganizationPage({ name, title, children }: OrganizationPageProps) {
  const about = useQuery(organization(name));
  useTitle(`${title} · ${name}`);
  if (about.error) return <ReadProblem problem={asProblem(about.error)} retry={about.refetch} />;
  if (!about.data) return <PageBones />;
  return (
    <div className="wrap stack loose">
      <div className="stack">
        <OrganizationHead organization={about.data} />
      </div>
      {children(about.data)}
    </div>
  );
}
