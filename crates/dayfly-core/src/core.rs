//! The data plane as one value: a few coarse calls, plain values across. Methods may be called from any thread.
//!
//! ```text
//!   Core ── engine, code cache, router, log, counters          live as long as the core
//!    └─ serve ── I/O threads: listener, event loop, Server      live as long as one call of `serve`
//!            └── Overflow: the threads of the other lanes
//! ```

use crate::access::{AccessRecord, Accesses, Gate, Watch};
use crate::code_cache::CodeCache;
use crate::crew::spawn;
use crate::engine::{Engine, EngineOptions, Paranoid, Protection, with_stack};
use crate::error::Error;
use crate::event_loop::{self, EventLoop, Gauges, Spin, StopHandle};
use crate::forwarded::TrustedProxies;
use crate::freeze::{self, Snapshot};
use crate::idle::THREADS_MAX;
use crate::limits::Limits;
use crate::listener::{self, Bound, Listener};
use crate::log::{Log, LogRecord};
use crate::overflow::{self, Late, Overflow, panic_message};
use crate::rehearse::{Rehearsed, Sample, rehearse};
use crate::release::Release;
use crate::request_id::RequestIds;
use crate::router::{Mounts, Router};
use crate::sandbox::Lane;
use crate::secrets::Secrets;
use crate::server::{Baseline, Parts, Server, Shared};
use crate::slots::SlotsOptions;
use crate::stats::{Stats, TenantStats, ThreadCounters, ThreadStats};
use crate::tenant::{Current, Tenant};
use dayfly_sys::thread as system;
use serde::{Deserialize, Deserializer, de};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Length of an I/O thread's time slice: it gets the processor soon after it wakes, and others soon after that.
const IO_SLICE_NS: u64 = 100_000;
/// Releases that are kept for freezing others on them: a base, and layers in use.
const BASES_KEPT: usize = 4;
/// Descriptors that are neither for connections nor for releases in memory.
const DESCRIPTORS_KEPT: u64 = 256;

/// How sandboxes are made and where they run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoreOptions {
    /// Directory of compiled machine code; any of it may be deleted at any time. No default.
    pub code_cache: PathBuf,
    /// Only read that directory. Default off.
    #[serde(default)]
    pub reads_code_only: bool,
    /// How first writes to a page are noticed. Default: whatever the kernel does best.
    #[serde(default, deserialize_with = "protection")]
    pub protection: Protection,
    /// Check one restore in so many, that the memory is the image; 1: each, about ten times slower. Default 0: none.
    #[serde(default)]
    pub paranoid_every: u32,
    /// Threads that serve connections. Default 0: one for each processor that this process may use.
    #[serde(default)]
    pub threads: usize,
    /// Threads for requests beyond the inline budget. Default 0: as above.
    #[serde(default)]
    pub overflow_threads: usize,
    /// Microseconds that an I/O thread polls before it sleeps; 0: it sleeps at once. Default none: as recent pauses
    /// were.
    #[serde(default)]
    pub spin_us: Option<u32>,
    /// Memory that releases may take, in bytes: beyond it those leave that nobody uses, the least recently used first, and
    /// if that is not enough slots are given up. Default 2 GiB.
    #[serde(default = "resident_bytes_max")]
    pub resident_bytes_max: u64,
}

fn resident_bytes_max() -> u64 {
    EngineOptions::default().resident_bytes_max
}

impl CoreOptions {
    /// Everything at its default.
    pub fn new(code_cache: PathBuf) -> CoreOptions {
        CoreOptions {
            code_cache,
            reads_code_only: false,
            protection: Protection::Auto,
            paranoid_every: 0,
            threads: 0,
            overflow_threads: 0,
            spin_us: None,
            resident_bytes_max: resident_bytes_max(),
        }
    }

    /// Binds what a server with these options listens on, for worker processes to accept from.
    ///
    /// # Errors
    /// `AddressInUse`, `Invalid` or `Io`.
    pub fn bind(&self, options: &ServerOptions) -> Result<Bound, Error> {
        let threads = self.clone().completed()?.threads;
        Bound::new(&options.host, options.port, &options.unix_paths, threads)
    }

    /// Replaces what is left to us by what it stands for.
    fn completed(mut self) -> Result<CoreOptions, Error> {
        let processors = processors();
        for (name, threads) in [("threads", &mut self.threads), ("overflow_threads", &mut self.overflow_threads)] {
            if *threads > THREADS_MAX {
                return Err(Error::Invalid(format!("`{name}` cannot be {threads}; allowed: 0 to {THREADS_MAX}")));
            }
            if *threads == 0 {
                *threads = processors.min(THREADS_MAX);
            }
        }
        Ok(self)
    }

    fn engine(&self) -> EngineOptions {
        let paranoid = match self.paranoid_every {
            0 => Paranoid::Off,
            restores => Paranoid::Every(restores),
        };
        EngineOptions { protection: self.protection, paranoid, resident_bytes_max: self.resident_bytes_max }
    }

    fn overflow(&self) -> overflow::Options {
        overflow::Options { io_threads: self.threads, processors: processors(), threads: self.overflow_threads }
    }

    fn event_loop(&self, of_releases: u64) -> event_loop::Options {
        let spin = self.spin_us.map_or(Spin::Auto, |us| Spin::For(Duration::from_micros(us.into())));
        let defaults = event_loop::Options::default();
        // Clients must not take the descriptors of releases, nor those that logs and the code cache are opened with.
        let descriptors = event_loop::raise_descriptor_limit().saturating_sub(DESCRIPTORS_KEPT + of_releases);
        let share = usize::try_from(descriptors).unwrap_or(usize::MAX) / self.threads;
        event_loop::Options { spin, connections_max: defaults.connections_max.min(share.max(1)), ..defaults }
    }
}

pub(crate) fn protection<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Protection, D::Error> {
    let name = String::deserialize(deserializer)?;
    let known = [Protection::Auto, Protection::Userfault, Protection::Mprotect];
    known.into_iter().find(|protection| protection.name() == name).ok_or_else(|| {
        de::Error::custom(format!("`protection` cannot be `{name}`; allowed: auto, userfault, mprotect"))
    })
}

/// Processors that this process may use.
fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Where the server listens and whom it believes.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerOptions {
    /// Name or address to listen on. Default 127.0.0.1.
    pub host: String,
    /// Port to listen on; 0 takes any free one. Default 8080.
    pub port: u16,
    /// Further listening sockets in the file system. Default none.
    pub unix_paths: Vec<PathBuf>,
    /// Networks, addresses or `unix`, whose word about the client is believed. Default none.
    pub trusted_proxies: Vec<String>,
    /// Name the release in each answer of a tenant: `Dayfly-Release`, with the first 16 digits of its digest. Default on.
    pub release_header: bool,
    /// Path that answers `baseline_body` from the same HTTP code with no sandbox, on hosts that are no tenant's own.
    /// Default none.
    pub baseline_path: Option<String>,
    /// What it answers. Default nothing.
    pub baseline_body: String,
    /// Its media type. Default `text/plain`.
    pub baseline_content_type: String,
    /// Keep a record of each request for [`Core::accesses`]. Default off.
    pub access_log: bool,
}

impl Default for ServerOptions {
    fn default() -> ServerOptions {
        ServerOptions {
            host: "127.0.0.1".to_owned(),
            port: 8080,
            unix_paths: Vec::new(),
            trusted_proxies: Vec::new(),
            release_header: true,
            baseline_path: None,
            baseline_body: String::new(),
            baseline_content_type: "text/plain".to_owned(),
            access_log: false,
        }
    }
}

impl ServerOptions {
    fn baseline(&self) -> Result<Option<Baseline>, Error> {
        let Some(path) = &self.baseline_path else { return Ok(None) };
        let content_type = &self.baseline_content_type;
        if !path.starts_with('/') {
            return Err(Error::Invalid(format!("baseline path `{path}` must begin with `/`")));
        }
        if !content_type.bytes().all(|octet| octet == b' ' || octet.is_ascii_graphic()) {
            return Err(Error::Invalid(format!("`{}` is no media type", content_type.escape_debug())));
        }
        Ok(Some(Baseline {
            path: path.clone(),
            body: self.baseline_body.clone().into_bytes(),
            field_lines: format!("Content-Type: {content_type}\r\n").into_bytes(),
        }))
    }
}

/// A tenant and where it answers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantSpec {
    /// Its name.
    pub name: String,
    /// Its own hosts, without port.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Path prefixes at which it answers on every host that is no tenant's own.
    #[serde(default)]
    pub paths: Vec<String>,
    /// What one request may use.
    #[serde(default)]
    pub limits: Limits,
    /// What its program may know and no release.
    #[serde(default)]
    pub secrets: Secrets,
    /// A release that gets a share of the requests.
    #[serde(default)]
    pub canary: Option<CanarySpec>,
}

/// A release that gets a share of a tenant's requests.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CanarySpec {
    /// Its directory.
    pub release: PathBuf,
    /// More than 0, at most 1.
    pub share: f64,
    /// What one request may use.
    #[serde(default)]
    pub limits: Limits,
    /// What its program may know and no release.
    #[serde(default)]
    pub secrets: Secrets,
}

/// The data plane.
pub struct Core {
    options: CoreOptions,
    engine: Engine,
    code_cache: CodeCache,
    router: Arc<Router<Current>>,
    tenants: Mutex<Tenants>,
    /// Releases that others were frozen on lately: kept, with what freezing needs.
    bases: Mutex<Vec<Arc<Release>>>,
    /// The release that was rehearsed last, and its directory: most are published next.
    rehearsed: Mutex<Option<(PathBuf, Arc<Release>)>>,
    log: Arc<Log>,
    accesses: Arc<Accesses>,
    gate: Option<Arc<Gate>>,
    counters: Vec<Arc<ThreadCounters>>,
    /// `serve` runs.
    busy: AtomicBool,
    serving: Mutex<Option<Serving>>,
    stop: Mutex<StopHandle>,
    began: Instant,
}

/// What publishing needs to know of the tenants. Held while a tenant comes or goes.
#[derive(Debug, Default)]
struct Tenants {
    last_key: u64,
    indexes: usize,
    free_indexes: Vec<usize>,
    retired: TenantStats,
}

impl Tenants {
    /// A tenant that was not published before.
    fn enter(&mut self, name: &str, io_threads: usize) -> Arc<Tenant> {
        self.last_key += 1;
        let index = self.index();
        Arc::new(Tenant::new(name, self.last_key, index, io_threads))
    }

    /// The same tenant with counters of their own, for its canary: to whoever shares out processors it is one.
    fn enter_beside(&mut self, tenant: &Tenant, io_threads: usize) -> Arc<Tenant> {
        let index = self.index();
        Arc::new(Tenant::new(&tenant.name, tenant.key, index, io_threads))
    }

    fn index(&mut self) -> usize {
        self.free_indexes.pop().unwrap_or_else(|| {
            self.indexes += 1;
            self.indexes - 1
        })
    }

    fn leave(&mut self, tenant: &Tenant) {
        self.free_indexes.push(tenant.index);
        self.retired.absorb(&tenant.stats(""));
    }
}

/// What other threads look at while the server runs.
struct Serving {
    shared: Arc<Shared>,
    gauges: Vec<Arc<Gauges>>,
}

impl Core {
    /// Starts the engine; no thread serves yet.
    ///
    /// # Errors
    /// `Invalid` for an option out of range; `Io` if the code cache cannot be opened or the kernel lacks something.
    pub fn new(options: CoreOptions) -> Result<Core, Error> {
        let options = options.completed()?;
        let open = if options.reads_code_only { CodeCache::open_to_read } else { CodeCache::open };
        let code_cache = open(&options.code_cache)?;
        let counters = (0..options.threads).map(|_| Arc::default()).collect();
        Ok(Core {
            engine: Engine::new(&options.engine())?,
            code_cache,
            router: Arc::default(),
            tenants: Mutex::default(),
            bases: Mutex::default(),
            rehearsed: Mutex::default(),
            log: Arc::default(),
            accesses: Arc::default(),
            gate: None,
            counters,
            busy: AtomicBool::new(false),
            serving: Mutex::default(),
            stop: Mutex::new(StopHandle::new()?),
            began: Instant::now(),
            options,
        })
    }

    /// Has a gate asked before each request is routed.
    #[must_use]
    pub fn with_gate(self, gate: Gate) -> Core {
        Core { gate: Some(Arc::new(gate)), ..self }
    }

    /// Instruments and compiles a program, runs its start-up and `on_init` once, and keeps the result. Blocks up to
    /// the limits.
    ///
    /// # Errors
    /// `Refused` or `InitFailed`: the program's fault, with the reason.
    pub fn freeze(&self, wasm: &[u8], limits: &Limits) -> Result<Snapshot, Error> {
        with_stack(|| freeze::freeze(&self.engine, &self.code_cache, wasm, limits))
    }

    /// Loads a bundle into the release in this directory and runs its start-up once; what that changes is the result's
    /// image. Blocks up to the limits.
    ///
    /// # Errors
    /// `Damaged` if a file does not have its digest; `Refused` or `InitFailed`: the bundle's fault, with the reason.
    pub fn freeze_on(&self, parent: &Path, bundle: &[u8], limits: &Limits) -> Result<Snapshot, Error> {
        let parent = Release::load_shared(parent, &self.engine, &self.code_cache)?;
        self.keep_base(&parent);
        with_stack(|| freeze::freeze_on(&parent, bundle, limits))
    }

    fn keep_base(&self, base: &Arc<Release>) {
        let mut bases = lock(&self.bases);
        bases.retain(|kept| !Arc::ptr_eq(kept, base));
        bases.push(base.clone());
        let dropped = (bases.len() > BASES_KEPT).then(|| bases.remove(0));
        drop(bases);
        drop(dropped);
    }

    /// Sends sample requests to the release in this directory, which nobody needs to be routed to. Blocks up to its limits
    /// for each request.
    ///
    /// # Errors
    /// `Damaged` if a file does not have its digest, `Io` if there is no room for a sandbox.
    pub fn rehearse(&self, directory: &Path, samples: &[Sample], secrets: &Secrets) -> Result<Vec<Rehearsed>, Error> {
        let release = Release::load(directory, &self.engine, &self.code_cache)?;
        release.give(secrets);
        let before = lock(&self.rehearsed).replace((directory.to_owned(), release.clone()));
        drop(before);
        with_stack(|| rehearse(&release, samples))
    }

    /// The release that was rehearsed from this directory with these secrets, if it was the last one: once only, since no
    /// two tenants share a release. It has been checked, and is in memory.
    fn take_rehearsed(&self, directory: &Path, secrets: &Secrets) -> Option<Arc<Release>> {
        let is_it = |(from, release): &mut (PathBuf, Arc<Release>)| {
            from == directory && release.secrets().as_deref() == Some(secrets) && !release.condemned()
        };
        let (_, release) = lock(&self.rehearsed).take_if(is_it)?;
        release.resident_bytes().is_ok().then_some(release)
    }

    /// Makes the release in this directory the one that answers for a tenant. Requests that come later get it;
    /// requests in flight keep theirs. Blocks while machine code is read or made.
    ///
    /// # Errors
    /// `Damaged` if a file does not have its digest, `Invalid` if a host or path belongs to another tenant or is
    /// malformed. Then the tenant is what it was.
    pub fn publish(&self, spec: &TenantSpec, directory: &Path) -> Result<(), Error> {
        let release = match self.take_rehearsed(directory, &spec.secrets) {
            Some(release) => release,
            None => Release::load(directory, &self.engine, &self.code_cache)?,
        };
        self.mount(spec, release)
    }

    /// As [`Core::publish`], straight from a snapshot: for rehearsals, tests and benchmarks.
    ///
    /// # Errors
    /// As [`Core::publish`].
    pub fn publish_snapshot(&self, spec: &TenantSpec, snapshot: &Snapshot) -> Result<(), Error> {
        self.mount(spec, Release::from_snapshot(&self.engine, &self.code_cache, snapshot, &spec.limits)?)
    }

    fn mount(&self, spec: &TenantSpec, release: Arc<Release>) -> Result<(), Error> {
        release.give(&spec.secrets);
        let canary = match &spec.canary {
            Some(canary) => Some((self.load_canary(canary)?, canary)),
            None => None,
        };
        let mounts = Mounts { hosts: spec.hosts.clone(), paths: spec.paths.clone() };
        let mut tenants = lock(&self.tenants);
        let before = self.router.routes().get(&spec.name).cloned();
        let canary_before = before.as_ref().and_then(|before| before.canary());
        let known = before.as_ref().map(|before| before.tenant.clone());
        let tenant = known.clone().unwrap_or_else(|| tenants.enter(&spec.name, self.options.threads));
        let mut current = Current::new(tenant.clone(), release, spec.limits);
        let canary_known = canary_before.map(|before| before.tenant.clone());
        let canary_tenant = canary.as_ref().map(|(release, _)| {
            // Another share of the same release: its figures go on.
            let same = canary_before.filter(|before| before.release.digest() == release.digest());
            same.map_or_else(|| tenants.enter_beside(&tenant, self.options.threads), |before| before.tenant.clone())
        });
        if let (Some((release, spec)), Some(tenant)) = (canary, &canary_tenant) {
            current = current.with_canary(Current::new(tenant.clone(), release, spec.limits), spec.share);
        }
        let published = self.router.publish(&tenant.name, &mounts, Arc::new(current));
        // Who is no longer there leaves: on failure what came, else what was replaced.
        let (kept, gone) =
            if published.is_ok() { (&canary_tenant, &canary_known) } else { (&canary_known, &canary_tenant) };
        if let Some(gone) = gone
            && kept.as_ref().is_none_or(|kept| !Arc::ptr_eq(kept, gone))
        {
            tenants.leave(gone);
        }
        if published.is_err() && known.is_none() {
            tenants.leave(&tenant);
        }
        published
    }

    fn load_canary(&self, spec: &CanarySpec) -> Result<Arc<Release>, Error> {
        if !(spec.share > 0.0 && spec.share <= 1.0) {
            return Err(Error::Invalid(format!(
                "a canary's share cannot be {}; allowed: more than 0, at most 1",
                spec.share
            )));
        }
        let release = match self.take_rehearsed(&spec.release, &spec.secrets) {
            Some(release) => release,
            None => Release::load(&spec.release, &self.engine, &self.code_cache)?,
        };
        release.give(&spec.secrets);
        Ok(release)
    }

    /// Takes a tenant away; requests in flight are finished.
    ///
    /// # Errors
    /// `Invalid` if there is no such tenant.
    pub fn retire(&self, name: &str) -> Result<(), Error> {
        let mut tenants = lock(&self.tenants);
        let known = self.router.routes().get(name).cloned();
        self.router.retire(name)?;
        if let Some(current) = known {
            tenants.leave(&current.tenant);
            if let Some(canary) = current.canary() {
                tenants.leave(&canary.tenant);
            }
        }
        Ok(())
    }

    /// Serves until [`Core::stop`]; blocks. Calls `on_ready` with the address once connections are answered. Raises
    /// the process's limit of descriptors as far as it may: each connection needs one.
    ///
    /// # Errors
    /// `AddressInUse`, `Invalid` or `Io` before `on_ready`; `Io` after it if a thread cannot go on.
    pub fn serve(&self, options: &ServerOptions, on_ready: impl FnOnce(SocketAddr)) -> Result<(), Error> {
        self.serve_with(options, || self.listen(options), on_ready)
    }

    /// As [`Core::serve`], on sockets that another process has bound and may keep.
    ///
    /// # Errors
    /// As [`Core::serve`].
    pub fn serve_on(
        &self,
        sockets: Vec<OwnedFd>,
        options: &ServerOptions,
        on_ready: impl FnOnce(),
    ) -> Result<(), Error> {
        self.serve_with(
            options,
            || listener::lent(sockets, self.options.threads).map(|lent| ((), lent)),
            |()| on_ready(),
        )
    }

    fn serve_with<A>(
        &self,
        options: &ServerOptions,
        listen: impl FnOnce() -> Result<(A, Vec<Vec<Listener>>), Error>,
        on_ready: impl FnOnce(A),
    ) -> Result<(), Error> {
        if self.busy.swap(true, Ordering::Acquire) {
            return Err(Error::Invalid("this core serves already".to_owned()));
        }
        event_loop::raise_descriptor_limit();
        let stop = lock(&self.stop).clone();
        let served =
            listen().and_then(|(ready, listeners)| self.serve_until(&stop, options, listeners, || on_ready(ready)));
        if let Some(serving) = lock(&self.serving).take() {
            serving.shared.overflow.stop();
        }
        let fresh = StopHandle::new().map(|fresh| *lock(&self.stop) = fresh);
        self.busy.store(false, Ordering::Release);
        served.and(fresh)
    }

    /// Stops accepting, finishes what is in flight, and lets `serve` return, also one that is still to come. Asked a
    /// second time, it ends connections at once. Never blocks.
    pub fn stop(&self) {
        lock(&self.stop).stop();
    }

    /// As [`Core::stop`] for a core whose successor has the same sockets and listens already: connections between requests
    /// stay open for one more, so that none meets a closed one.
    pub fn hand_over(&self) {
        lock(&self.stop).hand_over();
    }

    /// For each I/O thread how often it has begun to wait or to work; odd while it works.
    pub fn beats(&self) -> Vec<u64> {
        let serving = lock(&self.serving);
        let gauges = serving.iter().flat_map(|serving| &serving.gauges);
        gauges.map(|gauges| gauges.beats.load(Ordering::Relaxed)).collect()
    }

    /// All counters, summed.
    pub fn stats(&self) -> Stats {
        let mut stats = Stats {
            uptime_s: self.began.elapsed().as_secs_f64(),
            threads: self.counters.iter().map(|counters| ThreadStats::from(&**counters)).collect(),
            retired: lock(&self.tenants).retired.clone(),
            sandboxes: self.engine.counters().snapshot(),
            releases: self.engine.residency_stats(),
            protection: self.engine.protection().name(),
            log_dropped: self.log.dropped(),
            ..Stats::default()
        };
        for (name, current) in self.router.routes().all() {
            let mut figures = current.tenant.stats(current.release.digest());
            figures.canary = current.canary().map(|canary| Box::new(canary.tenant.stats(canary.release.digest())));
            stats.tenants.insert(name.to_string(), figures);
        }
        if let Some(serving) = &*lock(&self.serving) {
            (stats.overflow, stats.blocking) = serving.shared.overflow.stats();
            stats.threads.iter_mut().zip(&serving.gauges).for_each(|(thread, gauges)| thread.set_gauges(gauges));
        }
        stats
    }

    /// Takes the waiting log records, oldest first. Never blocks.
    pub fn logs(&self) -> Vec<LogRecord> {
        self.log.drain()
    }

    /// Takes the waiting records of requests, oldest first; there are none without `access_log`. Never blocks.
    pub fn accesses(&self) -> Vec<AccessRecord> {
        self.accesses.drain()
    }

    /// Starts the threads, and waits for their end.
    fn serve_until(
        &self,
        stop: &StopHandle,
        options: &ServerOptions,
        listeners: Vec<Vec<Listener>>,
        on_ready: impl FnOnce(),
    ) -> Result<(), Error> {
        let lives = self.prepare(stop, options, listeners)?;
        let threads: Vec<Result<IoThread, Error>> = lives.into_iter().map(|life| life.start(stop)).collect();
        if threads.iter().all(Result::is_ok) {
            on_ready();
        }
        threads.into_iter().map(join).fold(Ok(()), Result::and)
    }

    /// What each I/O thread needs, and the other lanes. From here on the core's figures tell of this server.
    fn prepare(
        &self,
        stop: &StopHandle,
        options: &ServerOptions,
        listeners: Vec<Vec<Listener>>,
    ) -> Result<Vec<IoLife>, Error> {
        let baseline = options.baseline()?;
        let trusted_proxies = TrustedProxies::parse(&options.trusted_proxies)?;
        let overflow = Overflow::start(self.options.overflow(), &self.engine, &self.log)?;
        let accesses = options.access_log.then(|| self.accesses.clone());
        let watch = Watch { accesses, gate: self.gate.clone() };
        let (log, release_header) = (self.log.clone(), options.release_header);
        let shared = Arc::new(Shared { overflow, log, trusted_proxies, baseline, watch, release_header });
        let ids = RequestIds::for_threads(self.options.threads)?;
        let of_releases = self.engine.residency().descriptors_max();
        let (mut lives, mut gauges) = (Vec::new(), Vec::new());
        for (thread, (listeners, ids)) in listeners.into_iter().zip(ids).enumerate() {
            let event_loop = EventLoop::new(self.options.event_loop(of_releases), stop.clone())?;
            gauges.push(event_loop.gauges());
            let parts = Parts {
                thread,
                shared: shared.clone(),
                counters: self.counters[thread].clone(),
                routes: self.router.view(),
                engine: self.engine.clone(),
                slots: SlotsOptions::of_lane(Lane::Inline, self.options.threads),
                ids,
                mailbox: event_loop.mailbox(),
            };
            lives.push(IoLife { event_loop, listeners, parts });
        }
        *lock(&self.serving) = Some(Serving { shared, gauges });
        Ok(lives)
    }

    /// For each thread its listeners, and the address that they share.
    fn listen(&self, options: &ServerOptions) -> Result<(SocketAddr, Vec<Vec<Listener>>), Error> {
        let count = self.options.threads;
        let address = listener::resolve(&options.host, options.port)?;
        let mut of_threads: Vec<Vec<Listener>> =
            listener::tcp(address, count)?.into_iter().map(|listener| vec![listener]).collect();
        for path in &options.unix_paths {
            let listeners = listener::unix(path, count)?;
            of_threads.iter_mut().zip(listeners).for_each(|(own, listener)| own.push(listener));
        }
        Ok((of_threads[0][0].address().unwrap_or(address), of_threads))
    }
}

type IoThread = JoinHandle<Result<(), Error>>;

/// All that one I/O thread works on, before it starts.
struct IoLife {
    event_loop: EventLoop<Box<Late>>,
    listeners: Vec<Listener>,
    parts: Parts,
}

impl IoLife {
    fn start(self, stop: &StopHandle) -> Result<IoThread, Error> {
        let stop_others = stop.clone();
        let started = spawn(&format!("io-{}", self.parts.thread), move || {
            // A kernel that refuses makes the thread's answers a little later, that is all.
            let _ = system::slice_ns(IO_SLICE_NS);
            let ended = catch_unwind(AssertUnwindSafe(|| self.run()));
            let ended = ended.unwrap_or_else(|panic| Err(Error::Internal(panic_message(&*panic).to_owned())));
            // Half a server is worse than none.
            ended.inspect_err(|_| stop_others.stop())
        });
        started.inspect_err(|_| stop.stop())
    }

    fn run(self) -> Result<(), Error> {
        self.event_loop.run(self.listeners, &mut Server::new(self.parts))
    }
}

fn join(thread: Result<IoThread, Error>) -> Result<(), Error> {
    thread?.join().unwrap_or_else(|panic| Err(Error::Internal(panic_message(&*panic).to_owned())))
}

/// A panic under one of these locks is reported where it happened; what they guard is whole at every step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
