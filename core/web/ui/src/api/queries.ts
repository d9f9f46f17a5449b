// What pages read, and the keys that it is remembered by. After a change, `refresh` asks again for all that begins so.
import { keepPreviousData, QueryClient, queryOptions, useQuery } from "@tanstack/react-query";
import { api, ok, type Tagged, tagged, whole } from "./client.ts";
import { asProblem } from "./problem.ts";
import { session, useSession } from "./session.ts";
import type { Schemas } from "./types.ts";

/** How long an answer is shown without asking again, when a page is opened. */
const FRESH_MS = 15_000;
const TRIES = 2;

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: FRESH_MS,
      // what was refused stays refused; what was out of reach may come back
      retry: (failures, error) => {
        const { status } = asProblem(error);
        return failures < TRIES && (status === 0 || status >= 500);
      },
    },
  },
});

const BOX = "/api/organization/{organization}/box/{box}";
const VERSION = `${BOX}/version/{version}` as const;

export interface ListSearch {
  q?: string;
  page?: number;
  sort?: string;
  order?: "asc" | "desc";
}

export interface BoxSearch extends ListSearch {
  provider?: string;
  architecture?: string;
  organization?: string;
  tag?: string;
  visibility?: "public" | "private";
}

export interface BoxPath {
  organization: string;
  box: string;
}

export interface VersionPath extends BoxPath {
  version: string;
}

export const versionInfo = queryOptions({
  queryKey: ["server"],
  queryFn: () => ok(api.GET("/api/version")),
  staleTime: Number.POSITIVE_INFINITY,
});

export const signInMethods = queryOptions({
  queryKey: ["methods"],
  queryFn: () => ok(api.GET("/api/auth/methods")),
});

export const profile = (username: string | undefined) =>
  queryOptions({
    queryKey: ["profile", username],
    queryFn: () => tagged(api.GET("/api/user")),
    enabled: !!username,
  });

/** The account that is signed in. */
export function useProfile(): (Schemas["ProfileView"] & Tagged) | undefined {
  return useQuery(profile(useSession()?.username)).data;
}

export interface Place {
  organization?: string;
  box?: string;
  version?: string;
}

/** What the caller may do with a thing and what belongs to it; without a name, with the server as a whole. */
export const permissions = ({ organization = "", box = "", version = "" }: Place) =>
  queryOptions({
    queryKey: [...placeKey(organization, box, version), "permissions", who()],
    queryFn: async () => {
      const path = { organization, box, version };
      if (version) return ok(api.GET(`${VERSION}/permissions`, { params: { path } }));
      if (box) return ok(api.GET(`${BOX}/permissions`, { params: { path } }));
      if (organization) return ok(api.GET("/api/organization/{organization}/permissions", { params: { path } }));
      return ok(api.GET("/api/user/permissions"));
    },
  });

function placeKey(organization: string, box: string, version: string): string[] {
  if (version) return ["box", organization, box, "version", version];
  if (box) return ["box", organization, box];
  return organization ? ["organization", organization] : ["permissions"];
}

/** The kinds of things that pages offer something for, as a policy calls them. */
type Kind =
  | ("organization" | "member" | "invitation" | "join-request" | "service" | "storage" | "audit" | "rules" | "mirror")
  | ("box" | "version" | "architecture" | "file")
  | ("user" | "policy" | "system");

export type May = (kind: Kind, ...actions: Schemas["Action"][]) => boolean;

/** Whether to offer something: any one of the actions. Until that is known, nothing is. The server decides in the end. */
export function useMay(place: Place): May {
  const current = useSession();
  const allowed = useQuery({ ...permissions(place), enabled: !!place.organization || !!current }).data?.allowed;
  return (kind, ...actions) => actions.some((action) => allowed?.[kind]?.includes(action));
}

/** The parts of the server itself that the caller may read: `jobs`, `plugins`, … */
export function useParts(): readonly string[] {
  return useQuery({ ...permissions({}), enabled: !!useSession() }).data?.system ?? [];
}

const who = () => session()?.username;

export const discover = (search: BoxSearch, size = 30) =>
  queryOptions({
    queryKey: ["boxes", who(), search, size],
    queryFn: () => whole(api.GET("/api/discover", { params: { query: { ...search, per_page: size } } })),
    placeholderData: keepPreviousData,
  });

export const organization = (name: string) =>
  queryOptions({
    queryKey: ["organization", name, who()],
    queryFn: () => tagged(api.GET("/api/organization/{organization}", { params: { path: { organization: name } } })),
  });

export const mirror = (name: string) =>
  queryOptions({
    queryKey: ["organization", name, "mirror", who()],
    queryFn: () => ok(api.GET("/api/organization/{organization}/mirror", { params: { path: { organization: name } } })),
  });

export const ownOrganizations = (search: ListSearch) =>
  queryOptions({
    queryKey: ["organizations", who(), search],
    queryFn: () => whole(api.GET("/api/organization", { params: { query: search } })),
    placeholderData: keepPreviousData,
  });

export const openOrganizations = (search: ListSearch) =>
  queryOptions({
    queryKey: ["organizations", "open", search],
    queryFn: () => whole(api.GET("/api/organizations/discover", { params: { query: search } })),
    placeholderData: keepPreviousData,
  });

export const boxesOf = (name: string, search: BoxSearch) =>
  queryOptions({
    queryKey: ["organization", name, "boxes", who(), search],
    queryFn: () => {
      const { organization: _, ...query } = search;
      return whole(
        api.GET("/api/organization/{organization}/box", { params: { path: { organization: name }, query } }),
      );
    },
    placeholderData: keepPreviousData,
  });

export const members = (name: string, search: ListSearch) =>
  queryOptions({
    queryKey: ["organization", name, "members", search],
    queryFn: () =>
      whole(
        api.GET("/api/organization/{organization}/members", {
          params: { path: { organization: name }, query: search },
        }),
      ),
    placeholderData: keepPreviousData,
  });

const boxKey = ({ organization, box }: BoxPath) => ["box", organization, box];

export const box = (path: BoxPath) =>
  queryOptions({
    queryKey: [...boxKey(path), "box", who()],
    queryFn: () => tagged(api.GET(BOX, { params: { path } })),
  });

export const renderedBox = (path: BoxPath) =>
  queryOptions({
    queryKey: [...boxKey(path), "rendered"],
    queryFn: () => ok(api.GET(`${BOX}/rendered`, { params: { path } })),
  });

export const boxDownloads = (path: BoxPath) =>
  queryOptions({
    queryKey: [...boxKey(path), "downloads"],
    queryFn: () => ok(api.GET(`${BOX}/downloads`, { params: { path } })),
  });

export const versions = (path: BoxPath, page = 1) =>
  queryOptions({
    queryKey: [...boxKey(path), "versions", who(), page],
    queryFn: () => whole(api.GET(`${BOX}/version`, { params: { path, query: { page, per_page: 50 } } })),
    placeholderData: keepPreviousData,
  });

export const version = (path: VersionPath) =>
  queryOptions({
    queryKey: [...boxKey(path), "version", path.version],
    queryFn: () => ok(api.GET(VERSION, { params: { path } })),
  });

export const renderedVersion = (path: VersionPath) =>
  queryOptions({
    queryKey: [...boxKey(path), "version", path.version, "rendered"],
    queryFn: () => ok(api.GET(`${VERSION}/rendered`, { params: { path } })),
  });

export type Artifact = Schemas["VersionFileView"];

/** All files of a version, and the places for files that are still to come. */
export const artifacts = (path: VersionPath) =>
  queryOptions({
    queryKey: [...boxKey(path), "version", path.version, "artifacts"],
    queryFn: () => ok(api.GET(`${VERSION}/files`, { params: { path, query: { per_page: 200 } } })),
  });

export const watches = (username: string | undefined) =>
  queryOptions({
    queryKey: ["watches", username],
    queryFn: () => ok(api.GET("/api/user/watches", { params: { query: { per_page: 200 } } })),
    enabled: !!username,
  });

export const stores = queryOptions({ queryKey: ["stores"], queryFn: () => ok(api.GET("/api/storage")) });

/** How often health is asked for while somebody looks at it. */
const HEALTH_MS = 5_000;

export const health = queryOptions({
  queryKey: ["health"],
  // 503 is an answer as well: which part is not well
  queryFn: async () => {
    const { data, error } = await api.GET("/health/ready");
    return ((data ?? error) as { data?: Schemas["ReadyView"] }).data;
  },
  refetchInterval: HEALTH_MS,
});

export const preferences = queryOptions({
  queryKey: ["preferences"],
  queryFn: () => tagged(api.GET("/api/user/preferences")),
});

/** Asks again for everything that a change may have touched. */
export function refresh(...begins: readonly unknown[][]): Promise<unknown> {
  return Promise.all(begins.map((queryKey) => queryClient.invalidateQueries({ queryKey })));
}

export const refreshBox = (path: BoxPath) =>
  refresh(boxKey(path), ["boxes"], ["organization", path.organization, "boxes"]);
