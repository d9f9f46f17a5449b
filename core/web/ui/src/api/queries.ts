// What pages read, and the keys that it is remembered by. After a change, `refresh` asks again for all that begins so.
import { keepPreviousData, QueryClient, queryOptions, useQuery } from "@tanstack/react-query";
import { api, ok, whole } from "./client.ts";
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

const BOX = "/api/organization/{organization}/box/{box}";
const VERSION = `${BOX}/version/{version}` as const;

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
    queryFn: () => ok(api.GET("/api/user")),
    enabled: !!username,
  });

/** The account that is signed in. */
export function useProfile(): Schemas["ProfileView"] | undefined {
  return useQuery(profile(useSession()?.username)).data;
}

/** What somebody may probably do in an organization; the server decides in the end. */
export function useRole(organization: string): { isMember: boolean; mayManage: boolean; isOwner: boolean } {
  const me = useProfile();
  const role = me?.organizations.find(({ name }) => name.toLowerCase() === organization.toLowerCase())?.role;
  const isAdmin = me?.platformAdmin === true;
  return {
    isMember: isAdmin || !!role,
    mayManage: isAdmin || role === "admin" || role === "owner",
    isOwner: isAdmin || role === "owner",
  };
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
    queryFn: () => ok(api.GET("/api/organization/{organization}", { params: { path: { organization: name } } })),
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
    queryFn: () => ok(api.GET(BOX, { params: { path } })),
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

export interface Artifact extends Omit<Schemas["ArchitectureView"], "id"> {
  provider: string;
}

/** All files of a version, and the places for files that are still to come. */
export const artifacts = (path: VersionPath) =>
  queryOptions({
    queryKey: [...boxKey(path), "version", path.version, "artifacts"],
    queryFn: async (): Promise<Artifact[]> => {
      const query = { per_page: 200 };
      const providers = await ok(api.GET(`${VERSION}/provider`, { params: { path, query } }));
      const lists = providers.map(async ({ name: provider }) => {
        const params = { path: { ...path, provider }, query };
        const architectures = await ok(api.GET(`${VERSION}/provider/{provider}/architecture`, { params }));
        return architectures.map((one) => ({ ...one, provider }));
      });
      return (await Promise.all(lists)).flat();
    },
  });

export const watches = (username: string | undefined) =>
  queryOptions({
    queryKey: ["watches", username],
    queryFn: () => ok(api.GET("/api/user/watches", { params: { query: { per_page: 200 } } })),
    enabled: !!username,
  });

/** Asks again for everything that a change may have touched. */
export function refresh(...begins: readonly unknown[][]): Promise<unknown> {
  return Promise.all(begins.map((queryKey) => queryClient.invalidateQueries({ queryKey })));
}

export const refreshBox = (path: BoxPath) =>
  refresh(boxKey(path), ["boxes"], ["organization", path.organization, "boxes"]);
