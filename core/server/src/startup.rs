//! From a configuration to a running server, and back in the reverse order.

mod background;
mod error;
mod listeners;
mod plugins;
mod welcome;

use std::{collections::BTreeMap, io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use boxvault_catalog::{Catalog, Options};
use boxvault_plugin_sdk::{AuthProvider, StorageBackend};
use boxvault_policy::{Policy, PolicyHandle};
use boxvault_transfer::LocalFiles;
use boxvault_types::{identity::LOCAL_ISSUER, views::system::SettingView};
use salvo::{Server, Service, conn::Acceptor, fuse::FuseConfig, server::ServerHandle};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{Notify, Semaphore, watch},
    task::JoinSet,
    time::timeout,
};
use tracing::{error, info, warn};

use crate::{
    app::{
        App, access_tokens::AccessTokens, audit::Refusals, catalogue::CatalogueCache,
        download_links::DownloadLinks, downloads::DownloadCounter, events::Events,
        identify::IdentityCache, jobs::Jobs, local_auth::LocalAuth, markdown::Renderings,
        mirrors::Mirrors, outbox::Postbox, passwords::Passwords, policies::FolderMark,
        sealing::Sealer, stores::Stores, tokens::TokenUses, upload_tickets::RefusedUploads,
    },
    config::{Config, Loaded},
    data_dir::DataDir,
    http,
    mail::transport::Transport,
    metrics::Metrics,
    tls::Reload,
};
use background::{background, flush};
pub use error::StartupError;
use listeners::Listeners;
use plugins::Opener;
use welcome::welcome;

/// The plugin name of the built-in auth provider.
const LOCAL_PLUGIN: &str = "local";
/// How much later than an upload itself the connection gives a silent client up.
const BODY_GRACE: Duration = Duration::from_secs(5);

/// Opens everything that a server stands on, without listening, for a command. Whoever runs one has the host, and no
/// command decides by the rules: so the files of the policy are not read, and may be broken.
///
/// # Errors
/// The first part that cannot be opened.
pub async fn open_app(config: &Config) -> Result<Arc<App>, StartupError> {
    let folder = config.policy.dir.is_dir().then(|| config.policy.dir.clone());
    let policy = PolicyHandle::new(Policy::embedded()?, folder);
    open_app_at(config, Vec::new(), LocalFiles::new(), None, policy).await
}

fn open_policy(config: &Config) -> Result<PolicyHandle, StartupError> {
    let folder: &Path = &config.policy.dir;
    Ok(PolicyHandle::open(folder.is_dir().then_some(folder))?)
}

async fn open_app_at(
    config: &Config,
    settings: Vec<SettingView>,
    local_files: LocalFiles,
    bound: Option<(&[SocketAddr], &[SocketAddr])>,
    policy: PolicyHandle,
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
    let mut opener = Opener::new(config);
    let passwords = Arc::new(Passwords::new()?);
    let public_url = config.public_url(bound);
    let app = App {
        postbox: Postbox::new(Transport::new(config, &public_url)?),
        sealer: Sealer::load(&catalog, config.auth.sealing_key.as_ref()).await?,
        public_url,
        instance_id: uuid::Uuid::now_v7().to_string(),
        stores: open_stores(config, &mut opener).await?,
        auth_providers: open_auth_providers(config, &mut opener, &catalog, &passwords).await?,
        plugins: opener.finish(),
        access_tokens: AccessTokens::load(&catalog).await?,
        passwords,
        identities: IdentityCache::new(),
        catalogues: CatalogueCache::new(),
        mirrors: Mirrors::new(&config.mirror),
        download_links: DownloadLinks::load(&catalog).await?,
        refused_uploads: RefusedUploads::new(),
        renderings: Renderings::new(),
        downloads: DownloadCounter::default(),
        token_uses: TokenUses::default(),
        policy_folder: FolderMark::open(&config.server.data_dir).await,
        refusals: Refusals::new(config.audit.refusals_waiting_max),
        local_files,
        upload_permits: Arc::new(Semaphore::new(config.limits.uploads_concurrent_max)),
        changes: Arc::default(),
        verification_wanted: Notify::new(),
        jobs: Jobs::default(),
        events: Events::new(),
        settings,
        metrics,
        config: config.clone(),
        policy: Arc::new(policy),
        catalog,
    };
    Ok(Arc::new(app))
}

async fn open_stores(config: &Config, opener: &mut Opener<'_>) -> Result<Stores, StartupError> {
    let mut by_name = BTreeMap::<String, Arc<dyn StorageBackend>>::new();
    for (name, entry) in &config.stores {
        by_name.insert(name.clone(), opener.store(name, entry).await?);
    }
    let default = config.storage.default_store.clone();
    if !by_name.contains_key(&default) {
        return Err(StartupError::NoDefaultStore(default));
    }
    Ok(Stores::new(by_name, default))
}

async fn open_auth_providers(
    config: &Config,
    opener: &mut Opener<'_>,
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
        providers.insert(name.clone(), opener.provider(name, entry).await?);
    }
    Ok(providers)
}

impl App {
    /// Writes what is still to be written, and lets the catalog go.
    ///
    /// # Errors
    /// If the catalog cannot be closed.
    pub async fn close(&self) -> Result<(), StartupError> {
        if let Err(error) = flush(self).await {
            warn!(
                cause = error.causes(),
                "could not write counters or rows of the audit log at the end"
            );
        }
        Ok(self.catalog.close().await?)
    }
}

/// Runs a server until it is told to stop.
///
/// # Errors
/// Why it could not start. What fails later is answered, logged, and survived.
pub async fn serve(loaded: Loaded) -> Result<(), StartupError> {
    let settings = loaded.settings();
    let config = loaded.config;
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
    let policy = open_policy(&config)?;
    let bound = Some((&*bound_http, &*bound_https));
    let app = open_app_at(&config, settings, files, bound, policy).await?;
    app.begin_policy_history().await?;
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
    app.events.close();
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
                app.take_policy_folder().await;
            }
        }
    }
}
