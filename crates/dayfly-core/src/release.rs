//! A release in memory: its code linked, its image in a sealed memory file, ready for slots.

use crate::code_cache::{CodeCache, Hash256, hex};
use crate::engine::{Engine, Paranoid};
use crate::error::Error;
use crate::freeze::Snapshot;
use crate::hostcalls::Host;
use crate::instrumented;
use crate::limits::Limits;
use dayfly_sys::image::SealedImage;
use dayfly_wasm::image::Image;
use dayfly_wasm::{Fresh, Layout, abi};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use wasmtime::{InstancePre, Module};

/// `manifest.json` of a release directory, which is named by the SHA-256 of this file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the guest ABI.
    pub abi: u32,
    /// `compiled`, `python` or `wasm`; for people.
    pub tier: String,
    /// SHA-256 of `code.wasm`, in hexadecimal.
    pub code_sha256: String,
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
}

/// A release, resident: its image is in memory and its code is mapped.
pub struct Release {
    id: u64,
    digest: String,
    limits: Limits,
    layout: Layout,
    takes: u32,
    fresh: Option<Fresh>,
    engine: Engine,
    /// Held so that other releases of the same program find it in the cache.
    _module: Arc<Module>,
    instance: InstancePre<Host>,
    image: Arc<SealedImage>,
    /// Octets of memory that the guest has when a request begins.
    size: usize,
    /// The hot set of the last slot that ended: what a new one is expected to write to.
    expected_writes: Mutex<Vec<u32>>,
    condemned: AtomicBool,
}

impl Release {
    /// Reads and checks a release directory. What was checked is what is used: files are read once.
    ///
    /// # Errors
    /// `Damaged` if a file is missing or does not have its digest, `Refused` if the program cannot run here.
    pub fn load(directory: &Path, engine: &Engine, cache: &CodeCache) -> Result<Arc<Release>, Error> {
        let files = Files::open(directory);
        let manifest_json = files.read("manifest.json", &files.release)?;
        let manifest: Manifest =
            serde_json::from_slice(&manifest_json).map_err(|error| files.damaged(format!("manifest.json: {error}")))?;
        if manifest.abi != abi::VERSION {
            return Err(Error::Refused(format!("release `{}` is for guest ABI {}", files.release, manifest.abi)));
        }
        let code = files.read("code.wasm", &manifest.code_sha256)?;
        let image = files.read("image", &manifest.image_sha256)?;
        let parts = Parts {
            digest: files.release.clone(),
            code: &code,
            image: &image,
            layout: manifest.layout,
            takes: manifest.takes,
            fresh: manifest.fresh,
            limits: manifest.limits,
        };
        Release::assemble(engine, cache, parts)
    }

    /// A release straight from a snapshot, for rehearsals, tests and benchmarks.
    ///
    /// # Errors
    /// `Refused` if the program cannot run here.
    pub fn from_snapshot(
        engine: &Engine,
        cache: &CodeCache,
        snapshot: &Snapshot,
        limits: &Limits,
    ) -> Result<Arc<Release>, Error> {
        let mut digest = Sha256::new();
        digest.update(Sha256::digest(&snapshot.code));
        digest.update(Sha256::digest(&snapshot.image));
        let parts = Parts {
            digest: hex(&digest.finalize().into()),
            code: &snapshot.code,
            image: &snapshot.image,
            layout: snapshot.layout,
            takes: snapshot.takes,
            fresh: snapshot.fresh,
            limits: *limits,
        };
        Release::assemble(engine, cache, parts)
    }

    fn assemble(engine: &Engine, cache: &CodeCache, parts: Parts<'_>) -> Result<Arc<Release>, Error> {
        static IDS: AtomicU64 = AtomicU64::new(1);
        let image = parts.image()?;
        parts.check_code()?;
        let size = parts.guest_bytes(&image);
        let image = SealedImage::new(parts.layout.memory_bytes as usize, image.pages());
        let image = image.map_err(|error| Error::io("memory file for an image", error))?;
        let module = cache.module(engine.wasmtime(), parts.code)?;
        let instance = engine.link(&module)?;
        Ok(Arc::new(Release {
            id: IDS.fetch_add(1, Ordering::Relaxed),
            digest: parts.digest,
            limits: parts.limits,
            layout: parts.layout,
            takes: parts.takes,
            fresh: parts.fresh,
            engine: engine.clone(),
            _module: module,
            instance,
            image: Arc::new(image),
            size,
            expected_writes: Mutex::default(),
            condemned: AtomicBool::new(false),
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

    /// Whether a check found restored memory unlike the image: this release must not be used any more.
    pub fn condemned(&self) -> bool {
        self.condemned.load(Ordering::Relaxed)
    }

    pub(crate) fn condemn(&self) {
        self.condemned.store(true, Ordering::Relaxed);
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn instance(&self) -> &InstancePre<Host> {
        &self.instance
    }

    pub(crate) fn image(&self) -> &Arc<SealedImage> {
        &self.image
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    pub(crate) fn expected_writes(&self) -> &Mutex<Vec<u32>> {
        &self.expected_writes
    }

    pub(crate) fn paranoid_every(&self) -> u32 {
        match self.engine.paranoid() {
            Paranoid::Off => 0,
            Paranoid::Every(restores) => restores,
        }
    }
}

impl std::fmt::Debug for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Release").field("id", &self.id).field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// What a release is made of, checked as far as digests go.
struct Parts<'a> {
    digest: String,
    code: &'a [u8],
    image: &'a [u8],
    layout: Layout,
    takes: u32,
    fresh: Option<Fresh>,
    limits: Limits,
}

impl Parts<'_> {
    fn damaged(&self, reason: impl Into<String>) -> Error {
        Error::Damaged { release: self.digest.clone(), reason: reason.into() }
    }

    /// The image, if it, the layout and the limits fit together: the host writes and reads where the layout says.
    fn image(&self) -> Result<Image, Error> {
        let layout = &self.layout;
        let expected = layout.host_page_offset.checked_add(abi::WASM_PAGE_BYTES);
        let memory_fits = expected == Some(layout.memory_bytes)
            && layout.host_page_offset == self.limits.memory_bytes_max
            && layout.memory_bytes <= 1 << 32
            && layout.host_page_offset.is_multiple_of(abi::WASM_PAGE_BYTES);
        let host_page_fits = layout.size_cell_offset == layout.host_page_offset
            && layout.frame_offset == layout.host_page_offset + abi::FRAME_OFFSET
            && layout.frame_bytes_max == abi::FRAME_BYTES_MAX;
        if !memory_fits || !host_page_fits || self.takes & !abi::takes::ALL != 0 {
            return Err(self.damaged("the manifest contradicts itself"));
        }
        let image = Image::decode(self.image).map_err(|error| self.damaged(format!("image: {error}")))?;
        if image.memory_bytes() != layout.memory_bytes {
            return Err(self.damaged("the image is not as long as the memory"));
        }
        Ok(image)
    }

    /// The code, if it is what the manifest says: before anything of it is compiled.
    fn check_code(&self) -> Result<(), Error> {
        instrumented::check(self.code, &self.layout, self.fresh).map_err(|reason| self.damaged(reason))
    }

    /// Octets of memory that the guest has in this image.
    fn guest_bytes(&self, image: &Image) -> usize {
        let offset = self.layout.size_cell_offset as usize;
        let (page, at) = ((offset / dayfly_sys::PAGE_BYTES) as u32, offset % dayfly_sys::PAGE_BYTES);
        let cell = image.page(page).and_then(|page| page.get(at..at + 4)).and_then(|cell| cell.try_into().ok());
        let pages = cell.map_or(0, u32::from_le_bytes);
        (u64::from(pages) * abi::WASM_PAGE_BYTES).min(self.layout.host_page_offset) as usize
    }
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
    fn read(&self, name: &str, sha256: &str) -> Result<Vec<u8>, Error> {
        let octets =
            std::fs::read(self.directory.join(name)).map_err(|error| self.damaged(format!("{name}: {error}")))?;
        let digest: Hash256 = Sha256::digest(&octets).into();
        if hex(&digest) == sha256 {
            return Ok(octets);
        }
        Err(self.damaged(format!("{name} does not have the digest that it should")))
    }
}
