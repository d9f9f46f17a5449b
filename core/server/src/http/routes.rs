//! Mounts handlers from their `#[utoipa::path]` metadata: a mounted route is a documented route by construction.
//!
//! Each route carries the action that it needs; mounting puts the decision in front of the handler, writes
//! `x-action` into the document, and adds the answers that every route of its kind can give.

use std::{collections::BTreeMap, sync::Arc};

use boxvault_policy::{AccessRequest, Policy, Relations};
use boxvault_types::{
    action::{Action, ResourceKind},
    error::ErrorCode,
    identity::Identity,
    names::RESERVED_NAMES,
    views::{
        ErrorEnvelope, VagrantErrorEnvelope,
        hcp::{HcpErrorEnvelope, OAuthErrorView},
    },
};
use salvo::{
    Depot, FlowCtrl, Handler, Request, Response, Router, async_trait,
    http::Method,
    routing::{Filter, PathState},
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ComponentsBuilder, HttpMethod, OpenApi, RefOr,
        extensions::ExtensionsBuilder,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn},
        schema::{ObjectBuilder, Schema, Type},
    },
};

use super::{
    cloud::owner::OwnerInBody,
    credentials, extract, failures,
    hoops::{
        authorize::{Asker, Authorize},
        complete::Complete,
        hold::{HeldTo, Hold},
        idempotency::Idempotency,
        record::RecordChange,
        time_limit::TimeLimit,
    },
};

/// What a route needs: an action on the kind of thing that its path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Permission {
    pub(crate) action: Action,
    pub(crate) kind: ResourceKind,
}

impl Permission {
    /// Whether a request of it that is sent again is done once. Signing in gives new secrets each time, and so do
    /// links; an upload is told apart by its bytes.
    pub(super) fn is_done_once(self, method: &str) -> bool {
        method == "POST"
            && !matches!(self.action, Action::Upload | Action::Download)
            && !matches!(
                self.kind,
                ResourceKind::Setup | ResourceKind::Account | ResourceKind::Session
            )
    }

    /// Whether what it is about has an entity tag.
    fn has_tag(self) -> bool {
        matches!(
            self.kind,
            ResourceKind::Profile
                | ResourceKind::User
                | ResourceKind::Organization
                | ResourceKind::Suspension
                | ResourceKind::ServiceAccount
                | ResourceKind::Storage
                | ResourceKind::Policy
                | ResourceKind::Rules
                | ResourceKind::Box
                | ResourceKind::Version
                | ResourceKind::Provider
                | ResourceKind::Architecture
                | ResourceKind::File
        )
    }

    /// Whether what comes of it can be kept as it is. New kinds of things cannot, until somebody has looked.
    pub(crate) fn answers_without_secrets(self) -> bool {
        matches!(
            self.kind,
            ResourceKind::User
                | ResourceKind::Organization
                | ResourceKind::Member
                | ResourceKind::JoinRequest
                | ResourceKind::Box
                | ResourceKind::Version
                | ResourceKind::Provider
                | ResourceKind::Architecture
                | ResourceKind::File
        )
    }
}

/// One handler with its metadata.
#[derive(Clone)]
pub(crate) struct Endpoint {
    name: String,
    path: String,
    methods: Vec<HttpMethod>,
    /// Makes its part of the document: much work, and of no use to a server, which serves a finished one.
    describe: fn() -> Described,
    handler: Arc<dyn Handler>,
    manner: Manner,
}

/// What stands in front of a handler, where that is not as usual.
#[derive(Debug, Clone, Copy, Default)]
struct Manner {
    asker: Asker,
    held_to: HeldTo,
    gives_access: bool,
    has_owner_in_body: bool,
}

impl Endpoint {
    /// Says who can ask at all, where the policy alone does not tell.
    pub(crate) fn asked_by(mut self, asker: Asker) -> Self {
        self.manner.asker = asker;
        self
    }

    /// Says what `If-Match` is about, where that is not what the path names.
    pub(crate) fn held_to(mut self, held_to: HeldTo) -> Self {
        self.manner.held_to = held_to;
        self
    }

    /// Says that the organization stands in the body, and not in the path.
    pub(crate) fn with_owner_in_body(mut self) -> Self {
        self.manner.has_owner_in_body = true;
        self
    }

    /// The same where a client names no architecture.
    pub(crate) fn of_default_architecture(mut self) -> Self {
        self.path = self.path.replace("/{architecture}", "");
        self.name.push_str("_of_default");
        self
    }

    /// The same in the first edition of the Vagrant Cloud API.
    fn in_first_edition(mut self) -> Self {
        self.path = self.path.replace("/api/v2/", "/api/v1/");
        self.name.push_str("_v1");
        self
    }

    /// Says that a read gives access away, which belongs into the audit log as a change does.
    pub(crate) fn gives_access(mut self) -> Self {
        self.manner.gives_access = true;
        self
    }
}

/// Whether requests of a method may leave anything other than it was.
pub(super) fn is_change(method: &str) -> bool {
    !matches!(method, "GET" | "HEAD" | "OPTIONS")
}

/// What the metadata of a handler says.
struct Described {
    operation: Operation,
    schemas: Vec<(String, RefOr<Schema>)>,
}

fn described<P>() -> Described
where
    P: utoipa::Path + utoipa::__dev::SchemaReferences + for<'t> utoipa::__dev::Tags<'t>,
{
    let mut schemas = Vec::new();
    P::schemas(&mut schemas);
    // utoipa keeps the tags apart from the rest
    let mut operation = P::operation();
    operation.tags = Some(P::tags().into_iter().map(ToOwned::to_owned).collect());
    Described { operation, schemas }
}

/// Takes a handler and the metadata that utoipa made for it; see [`endpoint!`].
pub(crate) fn describe_endpoint<P>(name: &'static str, _: P, handler: impl Handler) -> Endpoint
where
    P: utoipa::Path + utoipa::__dev::SchemaReferences + for<'t> utoipa::__dev::Tags<'t>,
{
    Endpoint {
        name: name.to_owned(),
        path: P::path(),
        methods: P::methods(),
        describe: described::<P>,
        handler: Arc::new(handler),
        manner: Manner::default(),
    }
}

/// Names a handler so that it can be mounted: `endpoint!(boxes::read_box)`.
macro_rules! endpoint {
    ($module:ident :: $handler:ident) => {
        paste::paste! {
            $crate::http::routes::describe_endpoint(
                stringify!($handler),
                $module::[<__path_ $handler>],
                $module::$handler,
            )
        }
    };
}
pub(crate) use endpoint;

#[derive(Clone)]
struct Shared(Arc<dyn Handler>);

#[async_trait]
impl Handler for Shared {
    async fn handle(
        &self,
        req: &mut Request,
        depot: &mut Depot,
        res: &mut Response,
        ctrl: &mut FlowCtrl,
    ) {
        self.0.handle(req, depot, res, ctrl).await;
    }
}

/// A route as tests see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mounted {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) permission: Permission,
    /// Its name in the document.
    pub(crate) operation: Arc<str>,
}

/// A router, and where it is asked for its document, growing together.
#[derive(Default)]
pub(crate) struct ApiRouter {
    pub(crate) router: Router,
    document: Option<Document>,
    pub(crate) mounted: Vec<Mounted>,
}

/// A growing API document, and the shipped rules, which tell it what everybody may.
struct Document {
    api: OpenApi,
    shipped: Policy,
}

impl ApiRouter {
    /// Nothing but the frame of a document.
    pub(crate) fn documented(mut document: OpenApi) -> Self {
        let components =
            document.components.get_or_insert_with(|| ComponentsBuilder::new().build());
        let mut schemas = Vec::new();
        ErrorEnvelope::schemas(&mut schemas);
        components.schemas.extend(schemas);
        components.schemas.insert(ErrorEnvelope::name().into_owned(), ErrorEnvelope::schema());
        for (name, schema) in [
            (VagrantErrorEnvelope::name(), VagrantErrorEnvelope::schema()),
            (HcpErrorEnvelope::name(), HcpErrorEnvelope::schema()),
            (OAuthErrorView::name(), OAuthErrorView::schema()),
        ] {
            components.schemas.insert(name.into_owned(), schema);
        }
        components.examples.extend(failures::examples());
        let shipped = Policy::embedded().expect("a test builds the shipped rules");
        Self { document: Some(Document { api: document, shipped }), ..Self::default() }
    }

    /// The document, where one was asked for.
    pub(crate) fn into_document(self) -> Option<OpenApi> {
        self.document.map(|document| document.api)
    }

    /// Mounts an endpoint in both editions of the Vagrant Cloud API.
    pub(crate) fn add_cloud(self, action: Action, kind: ResourceKind, endpoint: Endpoint) -> Self {
        let first = endpoint.clone().in_first_edition();
        self.add(action, kind, first).add(action, kind, endpoint)
    }

    /// Mounts and documents one endpoint. A GET is answered to HEAD as well.
    pub(crate) fn add(mut self, action: Action, kind: ResourceKind, endpoint: Endpoint) -> Self {
        let permission = Permission { action, kind };
        let name: Arc<str> = endpoint.name.as_str().into();
        let methods: Vec<_> = endpoint.methods.iter().filter_map(method_name).collect();
        if let Some(Document { api: document, shipped }) = &mut self.document {
            let Described { mut operation, schemas } = (endpoint.describe)();
            // one handler may stand at several paths
            operation.operation_id = Some(endpoint.name.clone());
            describe(&mut operation, permission, &endpoint.path);
            let anonymous = endpoint.manner.asker == Asker::Anybody
                && is_open_to_all(shipped, permission, &endpoint);
            for method in &methods {
                describe_security(&mut operation, method, &endpoint.path, anonymous);
                describe_conditions(&mut operation, permission, method, endpoint.manner.held_to);
                failures::describe(&mut operation, permission, method, &endpoint.path);
            }
            let components =
                document.components.get_or_insert_with(|| ComponentsBuilder::new().build());
            components.schemas.extend(schemas);
            list_error_codes(&mut components.schemas);
            document.paths.add_path_operation(&endpoint.path, endpoint.methods.clone(), operation);
        }

        let handler = Shared(endpoint.handler);
        for method in methods {
            let mounted = Mounted {
                method: method.to_owned(),
                path: endpoint.path.clone(),
                permission,
                operation: Arc::clone(&name),
            };
            let mount = || mount(&mounted, endpoint.manner);
            let mut route = mount();
            route = match method {
                "GET" => {
                    self.router = self.router.push(mount().head(handler.clone()));
                    route.get(handler.clone())
                }
                "POST" => route.post(handler.clone()),
                "PUT" => route.put(handler.clone()),
                "PATCH" => route.patch(handler.clone()),
                "OPTIONS" => route.options(handler.clone()),
                _ => route.delete(handler.clone()),
            };
            self.router = self.router.push(route);
            self.mounted.push(mounted);
        }
        self
    }
}

/// Writes every code that an error can have into the schema, so that clients can rely on the list.
fn list_error_codes(schemas: &mut BTreeMap<String, RefOr<Schema>>) {
    if let Some(RefOr::T(Schema::Object(error))) = schemas.get_mut("ErrorView")
        && let Some(RefOr::T(Schema::Object(code))) = error.properties.get_mut("code")
    {
        let codes = ErrorCode::ALL.iter().map(|code| code.as_str().into());
        code.enum_values = Some(codes.collect());
    }
}

/// The end of a path that is a name, and the word that means something else in its place: with that, another route is
/// meant, whatever the method.
const NAME_BESIDE_A_WORD: (&str, &str) = ("/provider/{provider}/{architecture}", "upload");

/// That a path does not end with a word. A filter of its own, since Salvo does not ask a closure which methods a path
/// takes, and would leave its routes out of `Allow`.
#[derive(Debug)]
struct EndsOtherwise(&'static str);

#[async_trait]
impl Filter for EndsOtherwise {
    async fn filter(&self, req: &mut Request, _: &mut PathState<'_>) -> bool {
        extract::plain_path(req.uri().path()).rsplit('/').next() != Some(self.0)
    }

    async fn filter_for_method(
        &self,
        req: &mut Request,
        state: &mut PathState<'_>,
        _: &Method,
    ) -> Option<bool> {
        Some(self.filter(req, state).await)
    }
}

/// A route behind its decision. One whose path begins with a name leaves the server's own words to others.
fn mount(mounted: &Mounted, manner: Manner) -> Router {
    let Mounted { method, path, permission, operation } = mounted;
    let Manner { asker, held_to, gives_access, has_owner_in_body } = manner;
    let mut route = Router::with_path(path.trim_start_matches('/'));
    if !matches!(permission.action, Action::Upload | Action::Download) {
        route = route.hoop(TimeLimit);
    }
    if has_owner_in_body {
        route = route.hoop(OwnerInBody);
    }
    let mut route = route.hoop(Authorize::new(*permission, asker, Arc::clone(operation), path));
    // an upload has a task of its own for what must be done to its end
    if is_change(method) && permission.action != Action::Upload {
        route = route.hoop(Complete);
    }
    if permission.is_done_once(method) {
        route = route.hoop(Idempotency::new(*permission));
    }
    if is_change(method) || gives_access {
        route = route.hoop(RecordChange);
    }
    if is_change(method) {
        route = route.hoop(Hold(held_to));
    }
    let (end, word) = NAME_BESIDE_A_WORD;
    if path.ends_with(end) {
        route = route.filter(EndsOtherwise(word));
    }
    if !path.starts_with("/{") {
        return route;
    }
    route.filter_fn(|req, _| {
        let path = extract::plain_path(req.uri().path());
        let first = path.split('/').next().unwrap_or_default();
        !RESERVED_NAMES.iter().any(|reserved| reserved.eq_ignore_ascii_case(first))
    })
}

fn method_name(method: &HttpMethod) -> Option<&'static str> {
    match method {
        HttpMethod::Get => Some("GET"),
        HttpMethod::Post => Some("POST"),
        HttpMethod::Put => Some("PUT"),
        HttpMethod::Patch => Some("PATCH"),
        HttpMethod::Delete => Some("DELETE"),
        HttpMethod::Options => Some("OPTIONS"),
        _ => None,
    }
}

/// Adds to an operation what follows from its permission and path.
fn describe(operation: &mut Operation, permission: Permission, path: &str) {
    let action = format!("{}:{}", permission.kind, permission.action);
    let extension = ExtensionsBuilder::new().add("x-action", action).build();
    operation.extensions.get_or_insert_default().merge(extension);
    document_path(operation, path);
}

/// Writes down which credentials an operation takes, and whether it answers without any.
fn describe_security(operation: &mut Operation, method: &str, path: &str, anonymous: bool) {
    let method = method.parse::<Method>().unwrap_or_default();
    let path = path.trim_start_matches('/');
    operation.security = Some(credentials::requirements(&method, path, anonymous));
}

/// Whether the shipped rules let everybody do it, at least with things that everybody may see.
fn is_open_to_all(shipped: &Policy, permission: Permission, endpoint: &Endpoint) -> bool {
    let path = &*endpoint.path;
    let mut request = Request::default();
    let named = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    for name in named.chain(endpoint.manner.has_owner_in_body.then_some("organization")) {
        let value = extract::example_of(name).unwrap_or_default();
        request.params_mut().insert(name, value.to_owned());
    }
    let part = extract::system_part(path);
    let thing = extract::resource(&request, permission.kind, part)
        .expect("the examples of the document are names");
    let public = Relations { public: true, ..Relations::default() };
    let asked = AccessRequest::new(&Identity::Anonymous, &thing, permission.action, public);
    shipped.decide(&asked).allowed
}

/// Adds what every change can be asked: to be done once, and only to the state that was seen.
fn describe_conditions(
    operation: &mut Operation,
    permission: Permission,
    method: &str,
    held_to: HeldTo,
) {
    let is_held = is_change(method) && method != "POST" && permission.action != Action::Upload;
    let (header, why) = if permission.is_done_once(method) {
        (
            "Idempotency-Key",
            "A random text of your own: sent again with it, the request is done once and answered again.",
        )
    } else if is_held && permission.has_tag() && held_to != HeldTo::Nothing {
        ("If-Match", "The `ETag` of the state that you have seen; another one is left alone.")
    } else {
        return;
    };
    let mut parameter = Parameter::new(header);
    parameter.parameter_in = ParameterIn::Header;
    parameter.required = utoipa::openapi::Required::False;
    parameter.schema = Some(ObjectBuilder::new().schema_type(Type::String).into());
    parameter.description = Some(why.to_owned());
    operation.parameters.get_or_insert_default().push(RefOr::T(parameter));
}

/// Documents the path's parameters, each by the name of the noun that it holds.
fn document_path(operation: &mut Operation, path: &str) {
    let known: Vec<String> = operation
        .parameters
        .iter()
        .flatten()
        .filter_map(|parameter| match parameter {
            RefOr::T(parameter) => Some(parameter.name.clone()),
            RefOr::Ref(_) => None,
        })
        .collect();
    for segment in path.split('/') {
        let Some(name) = segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) else {
            continue;
        };
        if known.iter().any(|known| known == name) {
            continue;
        }
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .schema(Some(extract::schema_of(name)))
            .description(Some(extract::description_of(name)))
            .example(extract::example_of(name).map(Into::into))
            .build();
        operation.parameters.get_or_insert_default().push(RefOr::T(parameter));
    }
}
