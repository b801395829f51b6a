//! Machine code by the digest of the program it was compiled from: a cache, never a part of a release.
//!
//! A name is made of the program's digest and everything that decides what the compiler makes of it (engine version,
//! settings, CPU features). A file that is damaged or does not fit is compiled again.

use crate::error::Error;
use dayfly_sys::code::CodeDirectory;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use wasmtime::{Engine, Module};

/// Octets of SHA-256.
pub(crate) type Hash256 = [u8; 32];

/// One program's code, locked while it is being compiled.
type Entry = Arc<Mutex<Weak<Module>>>;

/// A directory of machine code, for the owner only. Cloning is cheap and gives the same cache.
#[derive(Clone, Debug)]
pub struct CodeCache {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    directory: CodeDirectory,
    /// Whether code that was compiled here may be put there.
    grows: bool,
    /// Code in memory, so that releases with the same program share it.
    loaded: Mutex<HashMap<String, Entry>>,
}

impl CodeCache {
    /// Opens the directory; makes it if it is not there.
    ///
    /// # Errors
    /// `Io` if it cannot be made or opened, or if others than its owner may write to it.
    pub fn open(directory: &Path) -> Result<CodeCache, Error> {
        CodeCache::open_as(directory, true)
    }

    /// The same for a process that may only read it: what it has to compile, it forgets.
    ///
    /// # Errors
    /// As [`CodeCache::open`].
    pub fn open_to_read(directory: &Path) -> Result<CodeCache, Error> {
        CodeCache::open_as(directory, false)
    }

    fn open_as(directory: &Path, grows: bool) -> Result<CodeCache, Error> {
        let opened = CodeDirectory::open(directory);
        let directory = opened.map_err(|error| Error::io(format!("code cache `{}`", directory.display()), error))?;
        Ok(CodeCache { shared: Arc::new(Shared { directory, grows, loaded: Mutex::default() }) })
    }

    /// The compiled form of an instrumented module.
    pub(crate) fn module(&self, engine: &Engine, code: &[u8]) -> Result<Arc<Module>, Error> {
        self.module_of(engine, Sha256::digest(code).into(), || Ok(Cow::Borrowed(code)))
    }

    /// The same by the digest of the module, which is looked at only if it has to be compiled.
    pub(crate) fn module_of<'c>(
        &self,
        engine: &Engine,
        digest: Hash256,
        code: impl FnOnce() -> Result<Cow<'c, [u8]>, Error>,
    ) -> Result<Arc<Module>, Error> {
        let name = name(engine, digest);
        let entry = self.entry(&name);
        // Held while compiling: nobody compiles the same program twice, and nobody waits for another one.
        let mut loaded = lock(&entry);
        if let Some(module) = loaded.upgrade().filter(|module| Engine::same(module.engine(), engine)) {
            return Ok(module);
        }
        let module = Arc::new(self.load_or_compile(engine, &name, code)?);
        *loaded = Arc::downgrade(&module);
        Ok(module)
    }

    fn entry(&self, name: &str) -> Entry {
        let mut entries = lock(&self.shared.loaded);
        entries.retain(|_, entry| is_wanted(entry));
        Arc::clone(entries.entry(name.to_owned()).or_default())
    }

    fn load_or_compile<'c>(
        &self,
        engine: &Engine,
        name: &str,
        code: impl FnOnce() -> Result<Cow<'c, [u8]>, Error>,
    ) -> Result<Module, Error> {
        let directory = &self.shared.directory;
        let kept = directory.load(engine, name).map_err(|error| Error::io("code cache", error))?;
        if let Some(module) = kept {
            return Ok(module);
        }
        let compiled = Module::new(engine, code()?).map_err(|error| Error::Refused(format!("{error:#}")))?;
        if self.shared.grows {
            directory.save(&compiled, name).map_err(|error| Error::io("code cache", error))?;
        }
        Ok(compiled)
    }
}

/// Whether somebody compiles the program now, or has it.
fn is_wanted(entry: &mut Entry) -> bool {
    let nobody_looks = Arc::get_mut(entry);
    nobody_looks.is_none_or(|module| module.get_mut().unwrap_or_else(PoisonError::into_inner).strong_count() > 0)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn name(engine: &Engine, code: Hash256) -> String {
    let mut hasher = Sha256Hasher(Sha256::new());
    hasher.write(&code);
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hex(&hasher.0.finalize().into()) + ".cwasm"
}

/// Lower-case hexadecimal.
pub(crate) fn hex(digest: &Hash256) -> String {
    digest.iter().fold(String::with_capacity(64), |mut text, octet| {
        write!(text, "{octet:02x}").expect("text grows");
        text
    })
}

/// The engine offers what it hashes to any hasher; this one makes 256 bits of it.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, octets: &[u8]) {
        self.0.update(octets);
    }

    fn finish(&self) -> u64 {
        let digest: Hash256 = self.0.clone().finalize().into();
        u64::from_le_bytes(digest[..8].try_into().expect("eight octets"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An empty module and, for each number, another one.
    fn code(number: u8) -> Vec<u8> {
        [b"\0asm\x01\0\0\0\0\x02\x01".as_slice(), &[number]].concat()
    }

    #[test]
    fn a_program_that_is_being_compiled_keeps_no_other_waiting() {
        let directory = std::env::temp_dir().join(format!("dayfly-code-{}", std::process::id()));
        let cache = CodeCache::open(&directory).expect("a cache");
        let engine = crate::engine::Engine::new(&crate::engine::EngineOptions::default()).expect("an engine");
        let engine = engine.wasmtime();
        let entry = cache.entry(&name(engine, Sha256::digest(code(1)).into()));
        let compiling = lock(&entry);
        let other = cache.module(engine, &code(2)).expect("it compiles");
        assert!(Arc::ptr_eq(&other, &cache.module(engine, &code(2)).expect("it is there")));
        drop(compiling);
        drop((entry, other));
        let kept = cache.module(engine, &code(1)).expect("it compiles");
        assert_eq!(
            (lock(&cache.shared.loaded).len(), Arc::strong_count(&kept)),
            (1, 1),
            "what nobody has is forgotten"
        );
        std::fs::remove_dir_all(&directory).ok();
    }
}
