//! From a configuration to a running server, and back in the reverse order.

mod listeners;

use std::{
    collections::BTreeMap,
    io::{self, Write},
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use boxvault_catalog::{Catalog, CatalogError, Options};
use boxvault_plugin_host::{LoadError, PluginHost};
use boxvault_plugin_sdk::{AuthProvider, PluginError, StorageBackend};
use boxvault_policy::{PolicyError, PolicyHandle};
use boxvault_transfer::{LocalFiles, TransferError};
use boxvault_types::identity::LOCAL_ISSUER;
use salvo::{Server, Service, conn::Acceptor, fuse::FuseConfig, server::ServerHandle};
use thiserror::Error;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{Notify, Semaphore, watch},
    task::JoinSet,
    time::timeout,
};
use tracing::{error, info, warn};

use crate::{
    app::{
        App,
        access_tokens::AccessTokens,
        audit::{By, Refusals},
        catalogue::CatalogueCache,
        download_links::DownloadLinks,
        downloads::DownloadCounter,
        identify::IdentityCache,
        local_auth::LocalAuth,
        markdown::Renderings,
        outbox::Postbox,
        passwords::Passwords,
        sealing::Sealer,
        stores::Stores,
        tokens::TokenUses,
    },
    config::Config,
    data_dir::{DataDir, DataDirError},
    error::AppError,
    http,
    mail::transport::{MailSetupError, Transport},
    metrics::Metrics,
    tls::{Reload, TlsError},
};
use listeners::Listeners;

/// The plugin name of the built-in auth provider.
const LOCAL_PLUGIN: &str = "local";
/// How much later than an upload itself the connection gives a silent client up.
const BODY_GRACE: Duration = Duration::from_secs(5);
/// How often the signing keys are looked at: whether one is old, and whether another server has a new one.
const KEYS_INTERVAL: Duration = Duration::from_mins(1);
/// How often counters are written to the catalog, and watchers told of releases.
const FLUSH_INTERVAL: Duration = Duration::from_secs(5);

/// Why the server could not start.
#[derive(Debug, Error)]
pub enum StartupError {
    /// The data folder cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The database cannot be used.
    #[error("could not open the catalog; check database.url")]
    Catalog(#[from] CatalogError),
    /// The policy files cannot be used. There is no older policy to keep at a start.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A plugin cannot be used.
    #[error("could not open {entry}")]
    Plugin {
        /// Its place in the configuration.
        entry: String,
        /// Why.
        #[source]
        source: LoadError,
    },
    /// A store does not answer.
    #[error("the store {name:?} does not work")]
    Store {
        /// Its name in the configuration.
        name: String,
        /// Why.
        #[source]
        source: PluginError,
    },
    /// `storage.default_store` names no store.
    #[error("storage.default_store is {0:?}, but there is no [stores.{0}]")]
    NoDefaultStore(String),
    /// Messages cannot be sent.
    #[error(transparent)]
    Mail(#[from] MailSetupError),
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A listener cannot be opened.
    #[error(transparent)]
    Listen(#[from] TransferError),
    /// No listener is on.
    #[error("both server.http_listen and server.https_listen are off; turn one on")]
    NoListener,
    /// The rest.
    #[error("could not start")]
    App(#[from] AppError),
    /// A signal cannot be waited for, or standard output is gone.
    #[error("the system refused")]
    Io(#[from] io::Error),
}

/// Opens everything that a server stands on, without listening.
///
/// # Errors
/// The first part that cannot be opened.
pub async fn open_app(config: &Config) -> Result<Arc<App>, StartupError> {
    open_app_at(config, LocalFiles::new(), None).await
}

async fn open_app_at(
    config: &Config,
    local_files: LocalFiles,
    bound: Option<(&[SocketAddr], &[SocketAddr])>,
) -> Result<Arc<App>, StartupError> {
    DataDir::open(&config.server.data_dir)?;
    let metrics = Arc::new(Metrics::new());
    let counted = Arc::clone(&metrics);
    let options = Options {
        connections_max: config.database.connections_max,
        observer: Some(Arc::new(move |facts| counted.queried(facts))),
        ..Options::default()
    };
    let catalog = Catalog::connect(config.database_url().expose(), options).await?;
    catalog.migrate().await?;
    let policy_dir: &Path = &config.policy.dir;
    let policy = PolicyHandle::open(policy_dir.is_dir().then_some(policy_dir))?;
    let host = PluginHost::new(config.plugins.host_options());
    let passwords = Arc::new(Passwords::new()?);
    let public_url = config.public_url(bound);
    let app = App {
        postbox: Postbox::new(Transport::new(config, &public_url)?),
        sealer: Sealer::load(&catalog, config.auth.sealing_key.as_ref()).await?,
        public_url,
        instance_id: uuid::Uuid::now_v7().to_string(),
        stores: open_stores(config, &host).await?,
        auth_providers: open_auth_providers(config, &host, &catalog, &passwords).await?,
        access_tokens: AccessTokens::load(&catalog).await?,
        passwords,
        identities: IdentityCache::new(),
        catalogues: CatalogueCache::new(),
        download_links: DownloadLinks::load(&catalog).await?,
        renderings: Renderings::new(),
        downloads: DownloadCounter::default(),
        token_uses: TokenUses::default(),
        recorded_policy: ArcSwap::default(),
        refusals: Refusals::new(config.audit.refusals_waiting_max),
        local_files,
        upload_permits: Arc::new(Semaphore::new(config.limits.uploads_concurrent_max)),
        changes: Arc::default(),
        verification_wanted: Notify::new(),
        metrics,
        config: config.clone(),
        policy: Arc::new(policy),
        catalog,
    };
    Ok(Arc::new(app))
}

async fn open_stores(config: &Config, host: &PluginHost) -> Result<Stores, StartupError> {
    let mut by_name = BTreeMap::<String, Arc<dyn StorageBackend>>::new();
    for (name, entry) in &config.stores {
        let opened =
            host.open_storage(config.plugins.source(&entry.plugin), entry.options_value()).await;
        let store = opened
            .map_err(|source| StartupError::Plugin { entry: format!("stores.{name}"), source })?;
        let probed = store.probe().await;
        let report = probed.map_err(|source| StartupError::Store { name: name.clone(), source })?;
        for (capability, why) in &report.switched_off {
            warn!(
                store = name,
                ?capability,
                why,
                "a store cannot do what its plugin declares; switched off"
            );
        }
        by_name.insert(name.clone(), Arc::new(store));
    }
    let default = config.storage.default_store.clone();
    if !by_name.contains_key(&default) {
        return Err(StartupError::NoDefaultStore(default));
    }
    Ok(Stores::new(by_name, default))
}

async fn open_auth_providers(
    config: &Config,
    host: &PluginHost,
    catalog: &Catalog,
    passwords: &Arc<Passwords>,
) -> Result<BTreeMap<String, Arc<dyn AuthProvider>>, StartupError> {
    let mut providers = BTreeMap::<String, Arc<dyn AuthProvider>>::new();
    for (name, entry) in &config.auth.providers {
        if entry.plugin == LOCAL_PLUGIN {
            let local = LocalAuth::new(catalog.clone(), Arc::clone(passwords));
            providers.insert(LOCAL_ISSUER.to_owned(), Arc::new(local));
            continue;
        }
        let opened =
            host.open_auth(config.plugins.source(&entry.plugin), entry.options_value()).await;
        let provider = opened.map_err(|source| StartupError::Plugin {
            entry: format!("auth.providers.{name}"),
            source,
        })?;
        providers.insert(name.clone(), Arc::new(provider));
    }
    Ok(providers)
}

impl App {
    /// Writes what is still to be written, and lets the catalog go.
    ///
    /// # Errors
    /// If the catalog cannot be closed.
    pub async fn close(&self) -> Result<(), StartupError> {
        flush(self).await;
        Ok(self.catalog.close().await?)
    }
}

/// Runs a server until it is told to stop.
///
/// # Errors
/// Why it could not start. What fails later is answered, logged, and survived.
pub async fn serve(config: Config) -> Result<(), StartupError> {
    let data_dir = DataDir::open(&config.server.data_dir)?;
    if let Some(warning) = data_dir.warning() {
        warn!("{warning}");
    }
    check_open_files(&config);
    let files = LocalFiles::new();
    let (close_listeners, closing) = watch::channel(false);
    let reload = Reload::default();
    let Listeners { http, https, fingerprint, certificates } =
        Listeners::open(&config, &data_dir, &files, closing, &reload).await?;
    let bound_http = http.as_ref().map(addresses).unwrap_or_default();
    let bound_https = https.as_ref().map(addresses).unwrap_or_default();
    if bound_http.is_empty() && bound_https.is_empty() {
        return Err(StartupError::NoListener);
    }
    let app = open_app_at(&config, files, Some((&bound_http, &bound_https))).await?;
    let service = http::service(Arc::clone(&app));
    let mut running = JoinSet::new();
    let mut handles = Vec::new();
    if let Some(acceptor) = http {
        handles.push(start(acceptor, &app, twin(&service), &mut running));
    }
    if let Some(acceptor) = https {
        handles.push(start(acceptor, &app, twin(&service), &mut running));
    }
    let mut background = background(&app);
    data_dir.announce(&bound_http, &bound_https)?;
    info!(http = ?bound_http, https = ?bound_https, public_url = %app.public_url, "listening");
    boxvault_transfer::trim_heaps();
    welcome(&app, &bound_http, &bound_https, fingerprint.as_deref()).await?;

    wait_for_stop(&app, &reload).await?;
    let patience: Duration = config.server.shutdown_timeout.into();
    info!(timeout_s = patience.as_secs(), "stopping: no new connections, running requests may end");
    data_dir.withdraw();
    close_listeners.send_replace(true);
    for handle in &handles {
        handle.stop_graceful(patience);
    }
    while let Some(ended) = running.join_next().await {
        if let Err(error) = ended {
            error!(%error, "a listener ended badly");
        }
    }
    finish_changes(&app, patience).await;
    background.shutdown().await;
    drop(certificates);
    app.close().await?;
    info!("stopped");
    Ok(())
}

/// Waits for changes whose clients are gone: nothing else does.
async fn finish_changes(app: &App, patience: Duration) {
    if timeout(patience, app.changes.write()).await.is_err() {
        warn!("a change whose client is gone did not end in time, and is cut off");
    }
}

/// Every connection is an open file, and one that sends a file has two.
fn check_open_files(config: &Config) {
    let needed = config.server.connections_max * 2;
    match boxvault_transfer::raise_open_files_limit() {
        Ok(limit) if limit < needed as u64 => {
            warn!(limit, needed, "the limit of open files is too low for server.connections_max");
        }
        Ok(_) => {}
        Err(error) => warn!(%error, "could not raise the limit of open files"),
    }
}

fn addresses(acceptor: &impl Acceptor) -> Vec<SocketAddr> {
    acceptor.holdings().iter().filter_map(|holding| holding.local_addr.clone().into_std()).collect()
}

/// The same routes and limits for another listener; a second table of them would be a megabyte.
fn twin(service: &Service) -> Service {
    let mut twin = Service::new(service.router());
    twin.hoops.clone_from(&service.hoops);
    twin
}

/// Serves one listener in the background. Every limit on slow clients is one of progress, never of a whole transfer.
fn start<A>(
    acceptor: A,
    app: &Arc<App>,
    service: Service,
    running: &mut JoinSet<()>,
) -> ServerHandle
where
    A: Acceptor + Send + 'static,
{
    let limits = &app.config.limits;
    let fuse = FuseConfig::default()
        .with_http1_header_timeout(Duration::from(limits.header_timeout))
        .with_connection_idle_timeout(Duration::from(limits.connection_idle_timeout))
        .with_write_stall_timeout(Duration::from(limits.download_write_timeout))
        // an upload notices its silent client by itself, and has an answer; this is for all the rest
        .with_request_body_timeout(Duration::from(limits.upload_idle_timeout) + BODY_GRACE);
    let mut server =
        Server::new(acceptor).fuse_config(fuse).max_connections(app.config.server.connections_max);
    server.http1_mut().max_buf_size(boxvault_transfer::PIECE_BYTES_MAX);
    let handle = server.handle();
    running.spawn(async move {
        if let Err(error) = server.try_serve(service).await {
            error!(%error, "a listener failed");
        }
    });
    handle
}

/// What goes on beside the requests.
fn background(app: &Arc<App>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let every =
        |app: &Arc<App>, interval: Duration| (Arc::clone(app), tokio::time::interval(interval));

    let (flushing, mut ticks) = every(app, FLUSH_INTERVAL);
    tasks.spawn(async move {
        loop {
            ticks.tick().await;
            flush(&flushing).await;
        }
    });
    let (telling, mut ticks) = every(app, FLUSH_INTERVAL);
    tasks.spawn(async move {
        loop {
            ticks.tick().await;
            if let Err(error) = telling.tell_watchers().await {
                warn!(cause = error.causes(), "could not tell watchers of a release; trying again");
            }
        }
    });
    let (tending, mut ticks) = every(app, KEYS_INTERVAL);
    tasks.spawn(async move {
        loop {
            ticks.tick().await;
            let age = tending.config.auth.signing_key_max_age.into();
            if let Err(error) = tending.rotate_signing_key(age, By::Server).await {
                warn!(cause = error.causes(), "could not look at the signing keys; trying again");
            }
        }
    });
    let sending = Arc::clone(app);
    tasks.spawn(async move { sending.send_mail_forever().await });
    let watch_interval: Duration = app.config.policy.watch_interval.into();
    if !watch_interval.is_zero() {
        tasks.spawn(boxvault_policy::watch(Arc::clone(&app.policy), watch_interval));
    }
    tasks.spawn(Arc::clone(app).verify_forever());
    let scrub_interval: Duration = app.config.storage.scrub_interval.into();
    if !scrub_interval.is_zero() {
        tasks.spawn(Arc::clone(app).scrub_forever(scrub_interval));
    }
    let sweep_interval: Duration = app.config.storage.sweep_interval.into();
    if !sweep_interval.is_zero() {
        let (sweeping, mut ticks) = every(app, sweep_interval);
        tasks.spawn(async move {
            loop {
                ticks.tick().await;
                if let Err(error) = sweeping.sweep(sweeping.sweep_options()).await {
                    warn!(cause = error.causes(), "could not sweep; the next sweep will try again");
                }
            }
        });
    }
    tasks
}

async fn flush(app: &App) {
    let outcomes = [
        app.flush_downloads().await,
        app.flush_token_uses().await,
        app.flush_refusals().await,
        app.record_policy().await,
    ];
    for outcome in outcomes {
        if let Err(error) = outcome {
            warn!(
                cause = error.causes(),
                "could not write counters or rows of the audit log; they are kept and tried again"
            );
        }
    }
}

async fn wait_for_stop(app: &App, reload: &Reload) -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            _ = hang_up.recv() => {
                reload.request();
                // what is wrong with the files is in the log and in /health/ready
                let _changed = app.policy.reload_now().await;
            }
        }
    }
}

/// Tells a person at a terminal what to do next. The set-up token goes here and nowhere else: not into the log.
async fn welcome(
    app: &App,
    http: &[SocketAddr],
    https: &[SocketAddr],
    fingerprint: Option<&str>,
) -> Result<(), StartupError> {
    let mut text = String::from("\nBoxVault is running.\n");
    let mut line =
        |label: &str, value: &str| text.extend(["  ", &format!("{label:<22}"), value, "\n"]);
    line("web page", &app.public_url.to_string());
    line("API document", &format!("{}/api-docs/", app.public_url));
    for address in http {
        line("HTTP", &format!("http://{address}"));
    }
    for address in https {
        line("HTTPS", &format!("https://{address}"));
    }
    if let Some(fingerprint) = fingerprint {
        line("certificate (sha256)", fingerprint);
    }
    line("data folder", &app.config.server.data_dir.display().to_string());
    if let Some(token) = app.new_setup_token().await? {
        let invitation = format!(
            "\nThis server has no account yet. Make the first platform admin with the one-time token\n\n  {token}\n\n\
             for instance so (the README goes on from there):\n\n  \
             curl -fsS {}/api/setup --json '{{\"token\": \"{token}\", \"username\": \"admin\", \
             \"email\": \"admin@example.com\", \"password\": \"CHANGE-THIS-PASSWORD\"}}'\n",
            app.public_url
        );
        text.push_str(&invitation);
    }
    let mut output = io::stdout().lock();
    match writeln!(output, "{text}").and_then(|()| output.flush()) {
        // started by something that does not listen; the server runs all the same
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => Ok(outcome?),
    }
}
