//! A release: a name and a few facts, and while it is wanted, its code linked and its image in a sealed memory file.
//!
//! A release may stand on another one, its parent: it runs the parent's code over the parent's image with some pages
//! of its own. Parents are found beside it, by their digest, and are in memory once however many stand on them.

use crate::code_cache::{CodeCache, Hash256, hex};
use crate::engine::{Engine, Paranoid};
use crate::error::{Error, is_lack};
use crate::freeze::{Snapshot, Workbench};
use crate::instrumented;
use crate::limits::Limits;
use crate::residency::{Lease, Resident};
use crate::secrets::Secrets;
use dayfly_sys::PAGE_BYTES;
use dayfly_sys::image::SealedImage;
use dayfly_wasm::image::{Delta, Image};
use dayfly_wasm::{Fresh, Layout, abi};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Releases that may stand on each other: a base, layers, a tenant.
const GENERATIONS_MAX: u32 = 8;
/// How long a release that was found damaged is taken for damaged: somebody may put its files right.
const DAMAGE_KEPT: Duration = Duration::from_secs(5);

/// `manifest.json` of a release directory, which is named by the SHA-256 of this file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the guest ABI.
    pub abi: u32,
    /// `compiled`, `python` or `wasm`; for people.
    pub tier: String,
    /// Digest of the release that this one stands on: then `image` is a delta on that one's, and the code is its.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// SHA-256 of `code.wasm`, in hexadecimal; absent with a parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_sha256: Option<String>,
    /// SHA-256 of `image`, in hexadecimal.
    pub image_sha256: String,
    /// Where the host finds its things in the program's memory.
    pub layout: Layout,
    /// Parts of a request that the program takes, a mask.
    pub takes: u32,
    /// Why a new instance may be needed for each request; absent: never.
    pub fresh: Option<Fresh>,
    /// What a request may use.
    pub limits: Limits,
    /// SHA-256 of `source.tar`, in hexadecimal.
    pub source_sha256: String,
    /// Pages of the memory that a request is expected to write to. Only a hint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<u32>,
}

/// A release that can serve. In memory are its facts; its image and code only while they are leased, or idle within the
/// budget of the engine.
pub struct Release {
    id: u64,
    digest: String,
    image_sha256: Hash256,
    limits: Limits,
    layout: Layout,
    takes: u32,
    fresh: Option<Fresh>,
    engine: Engine,
    /// Octets of memory that the guest has when a request begins.
    size: usize,
    generation: u32,
    source: Source,
    /// Locked while it is loaded.
    place: Mutex<Place>,
    wanted: Arc<AtomicBool>,
    /// The hot set of the last slot that ended: what a new one is expected to write to.
    expected_writes: Mutex<Vec<u32>>,
    condemned: AtomicBool,
    /// Those of the tenant that it serves.
    secrets: OnceLock<Arc<Secrets>>,
    /// For freezing releases that stand on this one.
    workbench: Mutex<Option<Workbench>>,
    /// After everything that may lease it.
    parent: Option<Arc<Release>>,
}

/// Whether a release is in memory.
#[derive(Default)]
struct Place {
    /// The lease that others of it have.
    lease: Weak<Lease>,
    /// What was wrong when it was loaded last.
    damage: Option<Damage>,
}

/// Files that were found damaged. Requests go on to ask for the release, and it is not read again for each of them.
struct Damage {
    release: String,
    reason: String,
    found: Instant,
}

impl Damage {
    fn of(error: &Error, found: Instant) -> Option<Damage> {
        match error {
            Error::Damaged { release, reason } => {
                Some(Damage { release: release.clone(), reason: reason.clone(), found })
            }
            _ => None,
        }
    }

    /// The error, as long as nobody needs to look again.
    fn error(&self, now: Instant) -> Option<Error> {
        let fresh = now.saturating_duration_since(self.found) < DAMAGE_KEPT;
        fresh.then(|| Error::Damaged { release: self.release.clone(), reason: self.reason.clone() })
    }
}

/// Where a release comes from when it is wanted and not in memory.
enum Source {
    /// Its directory; the digest of the code if it has some of its own.
    Directory { directory: PathBuf, code_sha256: Option<Hash256>, cache: CodeCache },
    /// It was made here, and stays.
    Memory { _stays: Arc<Lease> },
}

impl Release {
    /// Reads and checks a release directory, and those of its parents beside it. What was checked is what is used: files
    /// are read once. Afterwards it is in memory, and idle.
    ///
    /// # Errors
    /// `Damaged` if a file is missing or does not have its digest, `Refused` if the program cannot run here.
    pub fn load(directory: &Path, engine: &Engine, cache: &CodeCache) -> Result<Arc<Release>, Error> {
        engine.residency().with_room(|| Release::load_below(0, directory, engine, cache))
    }

    /// The same for one that so many others, which are being loaded, stand on. Whoever writes manifests chooses how long
    /// the chain is, and each link takes stack.
    fn load_below(above: u32, directory: &Path, engine: &Engine, cache: &CodeCache) -> Result<Arc<Release>, Error> {
        let files = Files::open(directory);
        if above >= GENERATIONS_MAX {
            return Err(files.damaged(too_many_generations()));
        }
        let manifest_json = files.read("manifest.json", &digest_of(&files.release).map_err(|e| files.damaged(e))?)?;
        let manifest: Manifest =
            serde_json::from_slice(&manifest_json).map_err(|error| files.damaged(format!("manifest.json: {error}")))?;
        if manifest.abi != abi::VERSION {
            return Err(Error::Refused(format!("release `{}` is for guest ABI {}", files.release, manifest.abi)));
        }
        let hash = |text: &str| digest_of(text).map_err(|reason| files.damaged(reason));
        let image_sha256 = hash(&manifest.image_sha256)?;
        let code_sha256 = manifest.code_sha256.as_deref().map(hash).transpose()?;
        let parent = match &manifest.parent {
            Some(parent) => {
                hash(parent)?;
                let directory = directory.with_file_name(parent);
                Some(engine.parents().get(parent, || Release::load_below(above + 1, &directory, engine, cache))?)
            }
            None => None,
        };
        let code = match (&parent, code_sha256) {
            (None, Some(digest)) => Some(files.read("code.wasm", &digest)?),
            (Some(_), None) => None,
            _ => return Err(files.damaged("a release has either code or a parent".to_owned())),
        };
        let image = files.read("image", &image_sha256)?;
        let source = Origin::Directory { directory, code_sha256, cache };
        let parts = Parts {
            digest: files.release.clone(),
            parent,
            code: code.as_deref(),
            image: &image,
            image_sha256,
            layout: manifest.layout,
            takes: manifest.takes,
            fresh: manifest.fresh,
            limits: manifest.limits,
            writes: manifest.writes,
        };
        Release::assemble(engine, Some(cache), parts, source)
    }

    /// As [`Release::load`], but the release that is known by this digest, if there is one.
    ///
    /// # Errors
    /// As [`Release::load`].
    pub fn load_shared(directory: &Path, engine: &Engine, cache: &CodeCache) -> Result<Arc<Release>, Error> {
        let digest = directory.file_name().unwrap_or_default().to_string_lossy();
        engine.parents().get(&digest, || Release::load(directory, engine, cache))
    }

    /// A release straight from a snapshot, for rehearsals, tests and benchmarks. It stays in memory. Its parent must be
    /// loaded.
    ///
    /// # Errors
    /// `Refused` if the program cannot run here.
    pub fn from_snapshot(
        engine: &Engine,
        cache: &CodeCache,
        snapshot: &Snapshot,
        limits: &Limits,
    ) -> Result<Arc<Release>, Error> {
        let image_sha256: Hash256 = Sha256::digest(&snapshot.image).into();
        let mut digest = Sha256::new();
        digest.update(Sha256::digest(&snapshot.code));
        digest.update(image_sha256);
        let parent = match &snapshot.parent {
            None => None,
            Some(parent) => {
                let unknown = || Err(Error::Refused(format!("there is no release `{parent}` to stand on")));
                Some(engine.parents().get(parent, unknown)?)
            }
        };
        let parts = Parts {
            digest: hex(&digest.finalize().into()),
            code: parent.is_none().then_some(&snapshot.code),
            parent,
            image: &snapshot.image,
            image_sha256,
            layout: snapshot.layout,
            takes: snapshot.takes,
            fresh: snapshot.fresh,
            limits: *limits,
            writes: snapshot.writes.clone(),
        };
        Release::assemble(engine, Some(cache), parts, Origin::Memory)
    }

    /// The same on a parent that the caller has.
    pub(crate) fn on(parent: &Arc<Release>, snapshot: &Snapshot, limits: &Limits) -> Result<Arc<Release>, Error> {
        let parts = Parts {
            digest: hex(&Sha256::digest(&snapshot.image).into()),
            parent: Some(parent.clone()),
            code: None,
            image: &snapshot.image,
            image_sha256: [0; 32],
            layout: snapshot.layout,
            takes: snapshot.takes,
            fresh: snapshot.fresh,
            limits: *limits,
            writes: Vec::new(),
        };
        Release::assemble(&parent.engine, None, parts, Origin::Memory)
    }

    fn assemble(
        engine: &Engine,
        cache: Option<&CodeCache>,
        parts: Parts<'_>,
        origin: Origin<'_>,
    ) -> Result<Arc<Release>, Error> {
        static IDS: AtomicU64 = AtomicU64::new(1);
        parts.check()?;
        let parent = parts.parent.as_ref().map(|parent| parent.lease_anew()).transpose()?;
        let image = parts.image(parent.as_deref())?;
        let size = parts.guest_bytes(&image);
        let (module, instance) = match (&parent, parts.code.zip(cache)) {
            (Some(parent), _) => (parent.module().clone(), parent.instance.clone()),
            (None, Some((code, cache))) => {
                let module = cache.module(engine.wasmtime(), code)?;
                let instance = engine.link(&module)?;
                (module, instance)
            }
            (None, None) => return Err(parts.damaged("it has no code")),
        };
        let (id, wanted) = (IDS.fetch_add(1, Ordering::Relaxed), Arc::new(AtomicBool::new(true)));
        let resident = engine.residency().enter(image, module, instance, parent);
        let lease = engine.residency().lease(id, &wanted, resident);
        let place = Mutex::new(Place { lease: Arc::downgrade(&lease), damage: None });
        let source = match origin {
            Origin::Memory => Source::Memory { _stays: lease },
            Origin::Directory { directory, code_sha256, cache } => {
                Source::Directory { directory: directory.to_owned(), code_sha256, cache: cache.clone() }
            }
        };
        engine.residency().trim();
        Ok(Arc::new(Release {
            id,
            digest: parts.digest,
            image_sha256: parts.image_sha256,
            limits: parts.limits,
            layout: parts.layout,
            takes: parts.takes,
            fresh: parts.fresh,
            engine: engine.clone(),
            size,
            generation: parts.parent.as_ref().map_or(0, |parent| parent.generation + 1),
            source,
            place,
            wanted,
            expected_writes: Mutex::new(parts.writes),
            condemned: AtomicBool::new(false),
            workbench: Mutex::default(),
            parent: parts.parent,
            secrets: OnceLock::new(),
        }))
    }

    /// A number that no other release of this process has, nor ever had.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The release's digest in hexadecimal, which is its name.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// SHA-256 of its image file.
    pub(crate) fn image_sha256(&self) -> &Hash256 {
        &self.image_sha256
    }

    /// What a request may use.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Where the host finds its things in the program's memory.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Parts of a request that the program takes (`dayfly_wasm::abi::takes`).
    pub fn takes(&self) -> u32 {
        self.takes
    }

    /// Why a new instance may be needed for each request.
    pub fn fresh(&self) -> Option<Fresh> {
        self.fresh
    }

    /// The release that this one stands on.
    pub fn parent(&self) -> Option<&Arc<Release>> {
        self.parent.as_ref()
    }

    /// Whether its image and code are in memory now.
    pub fn is_resident(&self) -> bool {
        self.lease_at_once().is_some()
    }

    /// Memory that it takes beyond its parent's while it is resident. Loads it.
    ///
    /// # Errors
    /// As [`Release::load`].
    pub fn resident_bytes(&self) -> Result<u64, Error> {
        Ok(self.lease()?.bytes())
    }

    /// Whether a check found restored memory unlike the image: this release must not be used any more.
    pub fn condemned(&self) -> bool {
        self.condemned.load(Ordering::Relaxed)
    }

    /// Gives it the secrets of its tenant, once, before anything runs in it.
    pub(crate) fn give(&self, secrets: &Secrets) {
        self.secrets.get_or_init(|| Arc::new(secrets.clone()));
    }

    pub(crate) fn secrets(&self) -> Option<Arc<Secrets>> {
        self.secrets.get().cloned()
    }

    pub(crate) fn condemn(&self) {
        self.condemned.store(true, Ordering::Relaxed);
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    pub(crate) fn expected_writes(&self) -> &Mutex<Vec<u32>> {
        &self.expected_writes
    }

    pub(crate) fn workbench(&self) -> MutexGuard<'_, Option<Workbench>> {
        lock(&self.workbench)
    }

    pub(crate) fn note_cold_request(&self) {
        self.engine.residency().count_cold_request();
    }

    pub(crate) fn paranoid_every(&self) -> u32 {
        match self.engine.paranoid() {
            Paranoid::Off => 0,
            Paranoid::Every(restores) => restores,
        }
    }

    // ---- residency ----

    /// Keeps the release in memory; loads it if it is not there. One that was found damaged some seconds ago is not read
    /// again.
    pub(crate) fn lease(&self) -> Result<Arc<Lease>, Error> {
        let mut place = lock(&self.place);
        if let Some(lease) = self.lease_in_memory(&mut place.lease) {
            return Ok(lease);
        }
        if let Some(error) = place.damage.as_ref().and_then(|damage| damage.error(Instant::now())) {
            return Err(error);
        }
        let loaded = self.engine.residency().with_room(|| self.load_again());
        place.damage = loaded.as_ref().err().and_then(|error| Damage::of(error, Instant::now()));
        let lease = self.lease_of(&mut place.lease, loaded?);
        drop(place);
        self.engine.residency().trim();
        Ok(lease)
    }

    /// The same for a deploy: its files may have been put right.
    fn lease_anew(&self) -> Result<Arc<Lease>, Error> {
        lock(&self.place).damage = None;
        self.lease()
    }

    /// The same if it is in memory and nobody is loading it.
    pub(crate) fn lease_at_once(&self) -> Option<Arc<Lease>> {
        self.lease_in_memory(&mut self.place.try_lock().ok()?.lease)
    }

    fn lease_in_memory(&self, shared: &mut Weak<Lease>) -> Option<Arc<Lease>> {
        shared.upgrade().or_else(|| {
            let idle = self.engine.residency().take(self.id)?;
            Some(self.lease_of(shared, idle))
        })
    }

    fn lease_of(&self, shared: &mut Weak<Lease>, resident: Arc<Resident>) -> Arc<Lease> {
        let lease = self.engine.residency().lease(self.id, &self.wanted, resident);
        *shared = Arc::downgrade(&lease);
        lease
    }

    /// From the same files as before: they are checked by their digests, and what they say was checked the first time.
    fn load_again(&self) -> Result<Arc<Resident>, Error> {
        let Source::Directory { directory, code_sha256, cache } = &self.source else {
            return Err(Error::Internal(format!("release `{}` has left memory", self.digest)));
        };
        let files = Files::open(directory);
        let parent = self.parent.as_ref().map(|parent| parent.lease()).transpose()?;
        let octets = files.read("image", &self.image_sha256)?;
        let image = sealed(&octets, parent.as_deref()).map_err(|failed| failed.of(&self.digest))?;
        let (module, instance) = match (&parent, code_sha256) {
            (None, Some(digest)) => {
                let code = || files.read("code.wasm", digest).map(Cow::Owned);
                let module = cache.module_of(self.engine.wasmtime(), *digest, code)?;
                let instance = self.engine.link(&module)?;
                (module, instance)
            }
            (Some(parent), _) => (parent.module().clone(), parent.instance.clone()),
            (None, None) => return Err(files.damaged("it has no code".to_owned())),
        };
        Ok(self.engine.residency().enter(image, module, instance, parent))
    }
}

impl Drop for Release {
    fn drop(&mut self) {
        self.engine.residency().forget(self.id, &self.wanted);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Release").field("id", &self.id).field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// Releases that others stand on, by digest: each is known once as long as anybody has it.
#[derive(Default)]
pub(crate) struct Parents {
    known: Mutex<std::collections::HashMap<String, Weak<Release>>>,
}

impl Parents {
    fn get(&self, digest: &str, load: impl FnOnce() -> Result<Arc<Release>, Error>) -> Result<Arc<Release>, Error> {
        if let Some(known) = lock(&self.known).get(digest).and_then(Weak::upgrade) {
            return Ok(known);
        }
        // Without the lock: the parent may have one itself. If two threads load it, the first is kept.
        let loaded = load()?;
        let mut known = lock(&self.known);
        known.retain(|_, release| release.strong_count() > 0);
        if let Some(first) = known.get(digest).and_then(Weak::upgrade) {
            return Ok(first);
        }
        known.insert(digest.to_owned(), Arc::downgrade(&loaded));
        Ok(loaded)
    }
}

fn too_many_generations() -> String {
    format!("more than {GENERATIONS_MAX} releases stand on each other")
}

/// Where the parts come from.
#[derive(Clone, Copy)]
enum Origin<'a> {
    Directory { directory: &'a Path, code_sha256: Option<Hash256>, cache: &'a CodeCache },
    Memory,
}

/// What a release is made of, checked as far as digests go.
struct Parts<'a> {
    digest: String,
    parent: Option<Arc<Release>>,
    code: Option<&'a [u8]>,
    image: &'a [u8],
    image_sha256: Hash256,
    layout: Layout,
    takes: u32,
    fresh: Option<Fresh>,
    limits: Limits,
    writes: Vec<u32>,
}

impl Parts<'_> {
    fn damaged(&self, reason: impl Into<String>) -> Error {
        Error::Damaged { release: self.digest.clone(), reason: reason.into() }
    }

    /// Whether layout, limits, code and parent fit together: the host writes and reads where the layout says.
    fn check(&self) -> Result<(), Error> {
        let (layout, limit) = (&self.layout, self.limits.memory_bytes_max);
        let expected = layout.host_page_offset.checked_add(abi::WASM_PAGE_BYTES);
        // That of a release that stands on another one is in its memory: `check_limit`.
        let limit_fits = self.parent.is_some() || layout.host_page_offset == limit;
        let memory_fits = expected == Some(layout.memory_bytes)
            && limit_fits
            && layout.memory_bytes <= 1 << 32
            && layout.host_page_offset.is_multiple_of(abi::WASM_PAGE_BYTES);
        let host_page_fits = layout.size_cell_offset == layout.host_page_offset
            && layout.frame_offset == layout.host_page_offset + abi::FRAME_OFFSET
            && layout.frame_bytes_max == abi::FRAME_BYTES_MAX;
        if !memory_fits || !host_page_fits || self.takes & !abi::takes::ALL != 0 {
            return Err(self.damaged("the manifest contradicts itself"));
        }
        match &self.parent {
            Some(parent) if parent.layout != *layout || parent.fresh != self.fresh => {
                Err(self.damaged("the manifest contradicts that of its parent"))
            }
            Some(parent) if parent.generation + 1 >= GENERATIONS_MAX => Err(self.damaged(too_many_generations())),
            Some(_) => Ok(()),
            // Before anything of it is compiled.
            None => instrumented::check(self.code.unwrap_or_default(), layout, self.fresh)
                .map_err(|reason| self.damaged(reason)),
        }
    }

    fn image(&self, parent: Option<&Lease>) -> Result<SealedImage, Error> {
        let decoded = Decoded::of(self.image, parent.is_some()).map_err(|failed| failed.of(&self.digest))?;
        if decoded.memory_bytes() != self.layout.memory_bytes {
            return Err(self.damaged("the image is not as long as the memory"));
        }
        if let (Decoded::Delta(delta), Some(parent)) = (&decoded, &self.parent)
            && *delta.base() != parent.image_sha256
        {
            return Err(self.damaged("the image is a delta on another one than its parent's"));
        }
        let image = decoded.seal(parent).map_err(|failed| failed.of(&self.digest))?;
        if parent.is_some() { self.check_limit(&image).map(|()| image) } else { Ok(image) }
    }

    /// The program looks at the limit in its memory, people at the one in the manifest.
    fn check_limit(&self, image: &SealedImage) -> Result<(), Error> {
        let (limit, most) = (self.limits.memory_bytes_max, self.layout.host_page_offset);
        let held = pages_in_cell(image, most + abi::LIMIT_CELL_OFFSET);
        if limit <= most && held == limit / abi::WASM_PAGE_BYTES {
            return Ok(());
        }
        Err(self.damaged("the memory limit of the manifest is not that of the image"))
    }

    /// Octets of memory that the guest has in this image.
    fn guest_bytes(&self, image: &SealedImage) -> usize {
        let pages = pages_in_cell(image, self.layout.size_cell_offset);
        (pages * abi::WASM_PAGE_BYTES).min(self.layout.host_page_offset) as usize
    }
}

/// A cell that holds a number of pages of 64 KiB.
fn pages_in_cell(image: &SealedImage, offset: u64) -> u64 {
    let offset = offset as usize;
    let page = image.octets((offset / PAGE_BYTES) as u32);
    page[offset % PAGE_BYTES..].first_chunk().copied().map_or(0, u32::from_le_bytes).into()
}

/// An image file, read.
enum Decoded {
    Image(Image),
    Delta(Delta),
}

/// Why there is no image.
enum NoImage {
    Damaged(String),
    System(std::io::Error),
}

impl NoImage {
    fn of(self, release: &str) -> Error {
        match self {
            NoImage::Damaged(reason) => Error::Damaged { release: release.to_owned(), reason },
            NoImage::System(error) => Error::io("memory file for an image", error),
        }
    }
}

impl Decoded {
    fn of(octets: &[u8], is_delta: bool) -> Result<Decoded, NoImage> {
        let damaged = |error: dayfly_wasm::Error| NoImage::Damaged(format!("image: {error}"));
        if is_delta {
            return Delta::decode(octets).map(Decoded::Delta).map_err(damaged);
        }
        Image::decode(octets).map(Decoded::Image).map_err(damaged)
    }

    fn memory_bytes(&self) -> u64 {
        match self {
            Decoded::Image(image) => image.memory_bytes(),
            Decoded::Delta(delta) => delta.memory_bytes(),
        }
    }

    fn seal(&self, parent: Option<&Lease>) -> Result<SealedImage, NoImage> {
        let sealed = match (self, parent) {
            (Decoded::Image(image), None) => SealedImage::new(image.memory_bytes() as usize, image.pages()),
            (Decoded::Delta(delta), Some(parent)) => SealedImage::over(&parent.image, delta.pages()),
            _ => return Err(NoImage::Damaged("image: a delta needs a parent".to_owned())),
        };
        sealed.map_err(NoImage::System)
    }
}

fn sealed(octets: &[u8], parent: Option<&Lease>) -> Result<SealedImage, NoImage> {
    Decoded::of(octets, parent.is_some())?.seal(parent)
}

/// A digest as manifests and directories name it.
fn digest_of(text: &str) -> Result<Hash256, String> {
    let bad = || format!("`{}` is no digest", text.escape_debug());
    let octets = text.as_bytes();
    if octets.len() != 64 || !octets.iter().all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(bad());
    }
    let mut digest = [0; 32];
    for (octet, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| bad())?;
        *octet = u8::from_str_radix(pair, 16).map_err(|_| bad())?;
    }
    Ok(digest)
}

/// The files of a release directory.
struct Files<'a> {
    directory: &'a Path,
    release: String,
}

impl<'a> Files<'a> {
    fn open(directory: &'a Path) -> Files<'a> {
        let name = directory.file_name().unwrap_or_default();
        Files { directory, release: name.to_string_lossy().into_owned() }
    }

    fn damaged(&self, reason: String) -> Error {
        Error::Damaged { release: self.release.clone(), reason }
    }

    /// The octets of a file, which must have the given digest.
    fn read(&self, name: &str, sha256: &Hash256) -> Result<Vec<u8>, Error> {
        let octets = std::fs::read(self.directory.join(name)).map_err(|error| match error {
            // The file is as good as ever.
            error if is_lack(&error) => Error::io(format!("release `{}`, {name}", self.release), error),
            error => self.damaged(format!("{name}: {error}")),
        })?;
        let digest: Hash256 = Sha256::digest(&octets).into();
        if digest == *sha256 {
            return Ok(octets);
        }
        Err(self.damaged(format!("{name} does not have the digest that it should")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_release_is_looked_at_again_after_some_seconds() {
        let (found, error) = (Instant::now(), Error::Damaged { release: "r".to_owned(), reason: "bad".to_owned() });
        let damage = Damage::of(&error, found).expect("it is damaged");
        let told = |after: Duration| damage.error(found + after).map(|error| error.to_string());
        assert_eq!(told(Duration::ZERO), Some(error.to_string()));
        assert_eq!(told(DAMAGE_KEPT), None);
        let other = Error::io("a file", rustix::io::Errno::MFILE);
        assert!(Damage::of(&other, found).is_none(), "what may go well the next time is tried the next time");
    }
}
