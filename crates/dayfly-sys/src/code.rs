//! Machine code on disk: the one place that turns octets of a file into code that runs.
//!
//! Whoever can write such a file can run anything in this process. So the directory belongs to the process's own user
//! and to nobody else, and the same holds for each file, which also carries a checksum against damage. Files from
//! anywhere else are never taken.

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use wasmtime::{Engine, Module};

const CHECKSUM_BYTES: usize = 32;

/// A directory of machine code that only this process's user can reach.
#[derive(Debug)]
pub struct CodeDirectory {
    directory: OwnedFd,
}

impl CodeDirectory {
    /// Opens the directory; makes it, for the owner only, if it is not there.
    ///
    /// # Errors
    /// It cannot be made, or others than the owner may write to it.
    pub fn open(path: &Path) -> io::Result<CodeDirectory> {
        std::fs::create_dir_all(path.parent().unwrap_or(path))?;
        match fs::mkdir(path, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let directory = fs::open(path, OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        require_owner_only(&directory, FileType::Directory)?;
        Ok(CodeDirectory { directory })
    }

    /// The code of `name`, if it is there and undamaged and fits `engine`.
    ///
    /// # Errors
    /// The file cannot be read, or others than the owner may write to it.
    pub fn load(&self, engine: &Engine, name: &str) -> io::Result<Option<Module>> {
        let Some(octets) = self.read(name)? else { return Ok(None) };
        let Some((checksum, code)) = octets.split_at_checked(CHECKSUM_BYTES) else { return Ok(None) };
        if Sha256::digest(code).as_slice() != checksum {
            return Ok(None);
        }
        // SAFETY: the octets were written by `save`, which takes them from the compiler: only this process's user can
        // reach the directory and the file (checked on the open descriptors), and the checksum shows that they are
        // whole. The engine itself refuses code of another version or other settings.
        Ok(unsafe { Module::deserialize(engine, code) }.ok())
    }

    /// Keeps a module's code. A reader sees the whole file or none.
    ///
    /// # Errors
    /// The module cannot be serialized or the file not be written.
    pub fn save(&self, module: &Module, name: &str) -> io::Result<()> {
        let code = module.serialize().map_err(io::Error::other)?;
        let unfinished = format!("{name}.{}.tmp", std::process::id());
        let flags = OFlags::CREATE | OFlags::TRUNC | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(fs::openat(&self.directory, &unfinished, flags, Mode::RUSR | Mode::WUSR)?);
        let written = file.write_all(&Sha256::digest(&code)).and_then(|()| file.write_all(&code));
        let renamed = written
            .and_then(|()| fs::renameat(&self.directory, &unfinished, &self.directory, name).map_err(io::Error::from));
        if renamed.is_err() {
            fs::unlinkat(&self.directory, &unfinished, AtFlags::empty()).ok();
        }
        renamed
    }

    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = match fs::openat(&self.directory, name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        require_owner_only(&file, FileType::RegularFile)?;
        let mut octets = Vec::new();
        File::from(file).read_to_end(&mut octets)?;
        Ok(Some(octets))
    }
}

fn require_owner_only(file: &impl AsFd, kind: FileType) -> io::Result<()> {
    let status = fs::fstat(file)?;
    let others_may_write = Mode::from_raw_mode(status.st_mode).intersects(Mode::WGRP | Mode::WOTH);
    let owned = status.st_uid == rustix::process::geteuid().as_raw();
    if owned && !others_may_write && FileType::from_raw_mode(status.st_mode) == kind {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, "machine code must belong to the server's own user alone"))
}
