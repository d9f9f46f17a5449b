// Every address, one table. Pages are files of their own, fetched when they are first gone to.
//
// First segments that are not the name of an organization are reserved by the server (`RESERVED_NAMES`).
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  type ParsedLocation,
  redirect,
} from "@tanstack/react-router";
import "./api/arrival.ts";
import { type BoxSearch, queryClient, versionInfo } from "./api/queries.ts";
import { session } from "./api/session.ts";
import { Layout } from "./layout.tsx";
import { nextPath } from "./next.ts";
import { NotFound, PageProblem } from "./pages/not-found.tsx";
import { PageBones } from "./ui/parts.tsx";

const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);
const number = (value: unknown) => (Number.isInteger(value) && Number(value) > 0 ? Number(value) : undefined);

function boxSearch(search: Record<string, unknown>): BoxSearch {
  const { visibility, order } = search;
  return {
    // a search for "1" comes as a number
    q: search.q === undefined ? undefined : text(String(search.q)),
    page: number(search.page),
    sort: text(search.sort),
    order: order === "asc" || order === "desc" ? order : undefined,
    provider: text(search.provider),
    architecture: text(search.architecture),
    organization: text(search.organization),
    tag: text(search.tag),
    visibility: visibility === "public" || visibility === "private" ? visibility : undefined,
  };
}

export const nextSearch = (search: Record<string, unknown>): { next?: string } => ({ next: nextPath(search.next) });

const signedIn = ({ location }: { location: ParsedLocation }) => {
  if (!session()) throw redirect({ to: "/login", search: { next: location.href } });
};

const root = createRootRoute({
  component: Layout,
  notFoundComponent: NotFound,
  beforeLoad: async ({ location }) => {
    const info = await queryClient.ensureQueryData(versionInfo).catch(() => undefined);
    if (info?.needsSetup && location.pathname !== "/setup") throw redirect({ to: "/setup" });
  },
});

const at = <P extends string>(path: P) => ({ path, getParentRoute: () => root });

const routes = root.addChildren([
  createRoute({ ...at("/"), component: lazyRouteComponent(() => import("./pages/home.tsx"), "Home") }),
  createRoute({
    ...at("/discover"),
    validateSearch: boxSearch,
    component: lazyRouteComponent(() => import("./pages/discover.tsx"), "Discover"),
  }),
  createRoute({ ...at("/setup"), component: lazyRouteComponent(() => import("./pages/setup.tsx"), "Setup") }),
  // signing in, and what links in messages lead to
  createRoute({
    ...at("/login"),
    validateSearch: nextSearch,
    component: lazyRouteComponent(() => import("./pages/sign-in.tsx"), "SignIn"),
  }),
  createRoute({
    ...at("/login/callback/$method"),
    component: lazyRouteComponent(() => import("./pages/sign-in-back.tsx"), "SignInBack"),
  }),
  createRoute({
    ...at("/login/sign-up"),
    validateSearch: nextSearch,
    component: lazyRouteComponent(() => import("./pages/sign-in.tsx"), "SignUp"),
  }),
  createRoute({
    ...at("/login/forgot"),
    component: lazyRouteComponent(() => import("./pages/sign-in.tsx"), "Forgot"),
  }),
  createRoute({
    ...at("/reset-password"),
    component: lazyRouteComponent(() => import("./pages/links.tsx"), "ResetPassword"),
  }),
  createRoute({
    ...at("/verify-email"),
    component: lazyRouteComponent(() => import("./pages/links.tsx"), "VerifyEmail"),
  }),
  createRoute({
    ...at("/stop-watching"),
    component: lazyRouteComponent(() => import("./pages/links.tsx"), "StopWatching"),
  }),
  createRoute({
    ...at("/invitation"),
    component: lazyRouteComponent(() => import("./pages/invitation.tsx"), "Invitation"),
  }),
  createRoute({
    ...at("/organization/join-request"),
    component: lazyRouteComponent(() => import("./pages/invitation.tsx"), "JoinRequest"),
  }),
  // organizations
  createRoute({
    ...at("/organizations"),
    component: lazyRouteComponent(() => import("./pages/organizations.tsx"), "Organizations"),
  }),
  createRoute({
    ...at("/organizations/$organization/members"),
    beforeLoad: signedIn,
    component: lazyRouteComponent(() => import("./pages/members.tsx"), "Members"),
  }),
  createRoute({
    ...at("/organizations/$organization/service-accounts"),
    beforeLoad: signedIn,
    component: lazyRouteComponent(() => import("./pages/service-accounts.tsx"), "ServiceAccounts"),
  }),
  createRoute({
    ...at("/organizations/$organization/usage"),
    beforeLoad: signedIn,
    component: lazyRouteComponent(() => import("./pages/usage.tsx"), "Usage"),
  }),
  createRoute({
    ...at("/organizations/$organization/audit"),
    beforeLoad: signedIn,
    component: lazyRouteComponent(() => import("./pages/audit.tsx"), "OrganizationAudit"),
  }),
  createRoute({
    ...at("/organizations/$organization/rules"),
    beforeLoad: signedIn,
    component: lazyRouteComponent(() => import("./pages/organization-rules.tsx"), "OrganizationRules"),
  }),
  createRoute({
    ...at("/organizations/$organization/settings"),
    beforeLoad: signedIn,
    component: lazyRouteComponent(() => import("./pages/organization-settings.tsx"), "OrganizationSettings"),
  }),
  // one's own account
  createRoute({
    ...at("/settings"),
    beforeLoad: signedIn,
    component: lazyRouteComponent(() => import("./pages/profile.tsx"), "Profile"),
  }),
  createRoute({
    ...at("/settings/security"),
    beforeLoad: signedIn,
    component: lazyRouteComponent(() => import("./pages/security.tsx"), "Security"),
  }),
  createRoute({
    ...at("/settings/tokens"),
    beforeLoad: signedIn,
    component: lazyRouteComponent(() => import("./pages/tokens.tsx"), "Tokens"),
  }),
  createRoute({
    ...at("/settings/watching"),
    beforeLoad: signedIn,
    component: lazyRouteComponent(() => import("./pages/preferences.tsx"), "Watching"),
  }),
  createRoute({
    ...at("/settings/preferences"),
    beforeLoad: signedIn,
    component: lazyRouteComponent(() => import("./pages/preferences.tsx"), "Preferences"),
  }),
  createRoute({
    ...at("/settings/data"),
    beforeLoad: signedIn,
    component: lazyRouteComponent(() => import("./pages/preferences.tsx"), "OwnData"),
  }),
  // the whole server
  createRoute({
    ...at("/policies"),
    beforeLoad: signedIn,
    component: lazyRouteComponent(() => import("./pages/policy.tsx"), "Policy"),
  }),
  createRoute({
    ...at("/admin"),
    beforeLoad: signedIn,
    component: lazyRouteComponent(() => import("./pages/admin.tsx"), "AdminUsers"),
  }),
  createRoute({
    ...at("/admin/stores"),
    beforeLoad: signedIn,
    component: lazyRouteComponent(() => import("./pages/admin-stores.tsx"), "AdminStores"),
  }),
  createRoute({
    ...at("/admin/plugins"),
    beforeLoad: signedIn,
    component: lazyRouteComponent(() => import("./pages/admin-plugins.tsx"), "AdminPlugins"),
  }),
  createRoute({
    ...at("/admin/health"),
    beforeLoad: signedIn,
    component: lazyRouteComponent(() => import("./pages/admin-jobs.tsx"), "AdminHealth"),
  }),
  createRoute({
    ...at("/admin/jobs"),
    beforeLoad: signedIn,
    component: lazyRouteComponent(() => import("./pages/admin-jobs.tsx"), "AdminJobs"),
  }),
  createRoute({
    ...at("/admin/configuration"),
    beforeLoad: signedIn,
    component: lazyRouteComponent(() => import("./pages/admin-jobs.tsx"), "AdminConfiguration"),
  }),
  createRoute({
    ...at("/admin/organizations"),
    beforeLoad: signedIn,
    component: lazyRouteComponent(() => import("./pages/admin.tsx"), "AdminOrganizations"),
  }),
  createRoute({
    ...at("/admin/audit"),
    beforeLoad: signedIn,
    component: lazyRouteComponent(() => import("./pages/admin.tsx"), "AdminAudit"),
  }),
  // boxes; last, since their addresses begin with a name
  createRoute({
    ...at("/$organization"),
    validateSearch: boxSearch,
    component: lazyRouteComponent(() => import("./pages/organization.tsx"), "Organization"),
  }),
  createRoute({
    ...at("/$organization/$box"),
    component: lazyRouteComponent(() => import("./pages/box.tsx"), "Box"),
  }),
  createRoute({
    ...at("/$organization/$box/settings"),
    beforeLoad: signedIn,
    component: lazyRouteComponent(() => import("./pages/box-settings.tsx"), "BoxSettings"),
  }),
  createRoute({
    ...at("/$organization/$box/versions/$version"),
    component: lazyRouteComponent(() => import("./pages/version.tsx"), "Version"),
  }),
  // where other registries have the page of a box
  createRoute({
    ...at("/$organization/boxes/$box"),
    beforeLoad: ({ params }) => {
      throw redirect({ to: "/$organization/$box", params, replace: true });
    },
  }),
]);

export const router = createRouter({
  routeTree: routes,
  defaultPreload: "intent",
  defaultPendingComponent: PageBones,
  defaultPendingMs: 150,
  defaultErrorComponent: PageProblem,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
