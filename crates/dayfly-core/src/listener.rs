//! Listening sockets: one for each I/O thread on an address, or one in the file system that all threads share.

use std::fs;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dayfly_http1::Peer;
use rustix::event::epoll::EventFlags;
use rustix::fs::{FileType, FlockOperation, Mode, OFlags, chmod, fchmod, flock, fstat, open};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, acceptfrom_with, bind, connect, getsockname, listen,
    socket_with, sockopt,
};

use crate::error::Error;
use serde::Serialize;

/// Connections that the kernel keeps ready; it cuts this to `net.core.somaxconn`, 4096 on most machines.
const BACKLOG: i32 = 4096;
/// Who may connect to a socket in the file system: its owner and group, so that a proxy can be let in by its group.
const UNIX_MODE: Mode = Mode::from_raw_mode(0o660);
const FLAGS: SocketFlags = SocketFlags::NONBLOCK.union(SocketFlags::CLOEXEC);

/// One listening socket, for one thread.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    kind: Kind,
    /// Keeps the file until the last thread is done with it; None for an internet address, and where another process does.
    file: Option<Arc<SocketFile>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Tcp,
    Unix,
}

/// A socket's file, removed with its last listener.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    device_and_inode: (u64, u64),
    /// Held longer than the file is there. None: somebody else looks after the file.
    lock: Option<OwnedFd>,
}

/// Sockets that this process has bound and does not accept from: for whoever passes them to other processes, closes them,
/// and removes the files. All of them are listened on.
#[derive(Debug, Serialize)]
pub struct Bound {
    /// The address that is listened on.
    pub host: String,
    /// Its port; the one that was chosen for port 0.
    pub port: u16,
    /// Descriptors of the sockets; those of a file once, however many threads will share it.
    pub sockets: Vec<RawFd>,
    /// The files of those in the file system.
    pub files: Vec<BoundFile>,
}

/// The file of a socket, to be removed by whoever closes the socket, if it is still the same file, and then unlocked.
#[derive(Debug, Serialize)]
pub struct BoundFile {
    /// Where.
    pub path: PathBuf,
    /// Which.
    pub device: u64,
    /// Which, on its device.
    pub inode: u64,
    /// Descriptor of the lock, to be held longer than the file is there.
    pub lock: RawFd,
}

impl Bound {
    /// Binds what so many threads will listen on. From then on the caller owns the descriptors.
    ///
    /// # Errors
    /// `AddressInUse`, `Invalid` or `Io`; then nothing is left open.
    pub fn new(host: &str, port: u16, unix_paths: &[PathBuf], threads: usize) -> Result<Bound, Error> {
        let address = resolve(host, port)?;
        let mut listeners = tcp(address, threads)?;
        let address = listeners[0].address().unwrap_or(address);
        for path in unix_paths {
            listeners.append(&mut unix(path, 1)?);
        }
        let (host, port) = (address.ip().to_string(), address.port());
        let mut bound = Bound { host, port, sockets: Vec::new(), files: Vec::new() };
        for Listener { socket, file, .. } in listeners {
            bound.sockets.push(socket.into_raw_fd());
            bound.files.extend(file.and_then(Arc::into_inner).and_then(SocketFile::into_bound));
        }
        Ok(bound)
    }
}

/// Sockets that another process has bound, for so many threads: each internet socket for one of them, as far as they go
/// round; those in the file system for all.
///
/// # Errors
/// `Invalid` if one does not listen or there are none; `Io` if the system has no descriptors left.
pub fn lent(sockets: Vec<OwnedFd>, threads: usize) -> Result<Vec<Vec<Listener>>, Error> {
    let failed = |errno: Errno| Error::Invalid(format!("not a socket that listens: {errno}"));
    let (mut internet, mut local) = (Vec::new(), Vec::new());
    for socket in sockets {
        if !sockopt::socket_acceptconn(&socket).map_err(failed)? {
            return Err(failed(Errno::NOTCONN));
        }
        match sockopt::socket_domain(&socket).map_err(failed)? {
            AddressFamily::UNIX => local.push(socket),
            _ => internet.push(socket),
        }
    }
    if internet.is_empty() {
        return Err(Error::Invalid("there is no socket to listen on".to_owned()));
    }
    let again = |socket: &OwnedFd| socket.try_clone().map_err(|error| Error::io("cannot share a socket", error));
    let mut of_threads: Vec<Vec<Listener>> = Vec::with_capacity(threads);
    for thread in 0..threads {
        let socket = again(&internet[thread % internet.len()])?;
        of_threads.push(vec![Listener { socket, kind: Kind::Tcp, file: None }]);
        for socket in &local {
            let socket = again(socket)?;
            of_threads[thread].push(Listener { socket, kind: Kind::Unix, file: None });
        }
    }
    // There may be more of them than threads, and the kernel gives each its part of the connections.
    for (number, socket) in internet.into_iter().enumerate().skip(threads) {
        of_threads[number % threads].push(Listener { socket, kind: Kind::Tcp, file: None });
    }
    Ok(of_threads)
}

/// The first address of `host`, a name or an address.
pub fn resolve(host: &str, port: u16) -> Result<SocketAddr, Error> {
    let unknown = || Error::Invalid(format!("`{host}` is not a host of this machine"));
    (host, port).to_socket_addrs().map_err(|_| unknown())?.next().ok_or_else(unknown)
}

/// `count` listeners on one address; the kernel spreads connections over them. Port 0 takes any free port, the same for all.
///
/// The first one is bound *and listens* before the address is shared: with `SO_REUSEPORT` from the start, a second server
/// of the same user would silently get half the connections instead of an error.
///
/// # Panics
/// If `count` is 0.
pub fn tcp(address: SocketAddr, count: usize) -> Result<Vec<Listener>, Error> {
    assert!(count > 0, "a server has at least one thread");
    let failed = |errno: Errno| match errno {
        Errno::ADDRINUSE => {
            Error::AddressInUse(format!("`{address}` is in use; hint: stop the other server or choose another port"))
        }
        _ => Error::io(format!("cannot listen on `{address}`"), errno),
    };
    let first = tcp_socket(address, false).map_err(failed)?;
    if count > 1 {
        sockopt::set_socket_reuseport(&first, true).map_err(failed)?;
    }
    let mut listeners = vec![Listener { socket: first, kind: Kind::Tcp, file: None }];
    let address = listeners[0].address().unwrap_or(address);
    for _ in 1..count {
        let socket = tcp_socket(address, true).map_err(failed)?;
        listeners.push(Listener { socket, kind: Kind::Tcp, file: None });
    }
    Ok(listeners)
}

fn tcp_socket(address: SocketAddr, shared: bool) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, FLAGS, None)?;
    // Connections of an earlier server that wait for their end do not keep the address; a listening server does.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    sockopt::set_socket_reuseport(&socket, shared)?;
    // Answers are written whole, so there is nothing to gather; accepted sockets inherit it without a system call.
    sockopt::set_tcp_nodelay(&socket, true)?;
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// `count` listeners on one socket in the file system. A file left by a server that is gone is replaced; a socket that
/// somebody listens on, or any other file, is an error. The file is removed with the last listener; `PATH.lock`, which
/// keeps two servers from replacing each other's file, stays.
///
/// # Panics
/// If `count` is 0.
pub fn unix(path: &Path, count: usize) -> Result<Vec<Listener>, Error> {
    assert!(count > 0, "a server has at least one thread");
    let context = || format!("cannot listen on `{}`", path.display());
    let address = SocketAddrUnix::new(path).map_err(|errno| Error::io(context(), errno))?;
    let lock = lock(path)?;
    let socket = match unix_socket(&address) {
        Err(Errno::ADDRINUSE) => {
            remove_stale(path, &address)?;
            unix_socket(&address)
        }
        other => other,
    };
    let socket = socket.map_err(|errno| Error::io(context(), errno))?;
    let file = SocketFile::take(path, lock).map_err(|errno| Error::io(context(), errno))?;
    let file = Some(Arc::new(file));
    let mut listeners = Vec::with_capacity(count);
    for _ in 1..count {
        let socket = socket.try_clone().map_err(|error| Error::io(context(), error))?;
        listeners.push(Listener { socket, kind: Kind::Unix, file: file.clone() });
    }
    listeners.push(Listener { socket, kind: Kind::Unix, file });
    Ok(listeners)
}

fn unix_socket(address: &SocketAddrUnix) -> Result<OwnedFd, Errno> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, FLAGS, None)?;
    // The file gets the mode of the socket, so it is never open to more people than at the end.
    fchmod(&socket, UNIX_MODE)?;
    bind(&socket, address)?;
    listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// Takes `PATH.lock` for as long as this process is the one that listens at `path`. Without it, two servers that find the
/// same stale file both remove it, one of them the other's new one. The lock's file is never removed: else two servers
/// could hold locks of two files with one name.
fn lock(path: &Path) -> Result<OwnedFd, Error> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let failed = |errno| Error::io(format!("cannot lock `{}`", Path::new(&name).display()), errno);
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = open(&name, flags, Mode::RUSR | Mode::WUSR).map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => Err(in_use(path)),
        Err(errno) => Err(failed(errno)),
        Ok(()) => Ok(file),
    }
}

fn in_use(path: &Path) -> Error {
    let shown = path.display();
    Error::AddressInUse(format!("`{shown}` is in use; hint: stop the other server or choose another path"))
}

/// Removes the file of a server that is gone; refuses to remove anything else. A server that knows nothing of our lock
/// may listen there, so it is asked.
fn remove_stale(path: &Path, address: &SocketAddrUnix) -> Result<(), Error> {
    let shown = path.display();
    let metadata = fs::symlink_metadata(path).map_err(|error| Error::io(format!("cannot look at `{shown}`"), error))?;
    if !metadata.file_type().is_socket() {
        return Err(Error::Invalid(format!("`{shown}` exists and is not a socket")));
    }
    let probe = socket_with(AddressFamily::UNIX, SocketType::STREAM, FLAGS, None);
    match probe.and_then(|probe| connect(&probe, address)) {
        Err(Errno::CONNREFUSED) => {
            fs::remove_file(path).map_err(|error| Error::io(format!("cannot replace `{shown}`"), error))
        }
        // Its queue is full: somebody listens and is busy.
        Ok(()) | Err(Errno::AGAIN) => Err(in_use(path)),
        Err(errno) => Err(Error::io(format!("cannot tell whether somebody listens on `{shown}`"), errno)),
    }
}

impl SocketFile {
    /// The file that was just bound. The mode is set again, since binding applied the umask to it; through a descriptor,
    /// so that a link that somebody puts in its place is not followed.
    fn take(path: &Path, lock: OwnedFd) -> Result<SocketFile, Errno> {
        let file = open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        let status = fstat(&file)?;
        if FileType::from_raw_mode(status.st_mode) != FileType::Socket {
            return Err(Errno::EXIST);
        }
        chmod(format!("/proc/self/fd/{}", file.as_raw_fd()), UNIX_MODE)?;
        let device_and_inode = (status.st_dev, status.st_ino);
        Ok(SocketFile { path: path.to_owned(), device_and_inode, lock: Some(lock) })
    }
}

impl SocketFile {
    /// Leaves it to somebody else.
    fn into_bound(mut self) -> Option<BoundFile> {
        let (lock, path, (device, inode)) = (self.lock.take()?, self.path.clone(), self.device_and_inode);
        Some(BoundFile { path, device, inode, lock: lock.into_raw_fd() })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.lock.is_none() {
            return;
        }
        // Another server may have replaced the file; then it is not ours to remove.
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.device_and_inode);
        if ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Listener {
    /// Where it listens, with the port that was chosen for port 0; None for a socket in the file system.
    pub fn address(&self) -> Option<SocketAddr> {
        SocketAddr::try_from(getsockname(&self.socket).ok()?).ok()
    }

    /// The next connection that waits.
    pub(crate) fn accept(&self) -> Result<(OwnedFd, Peer), Errno> {
        let (socket, address) = acceptfrom_with(&self.socket, FLAGS)?;
        if self.kind == Kind::Unix {
            return Ok((socket, Peer::Unix));
        }
        // Who cannot be named is nobody: above all not a peer whose word may be believed.
        let address = address.and_then(|address| SocketAddr::try_from(address).ok()).ok_or(Errno::CONNABORTED)?;
        Ok((socket, Peer::Ip(canonical(address))))
    }

    /// How to wait for it. Threads that share one socket would all wake for each connection without `EXCLUSIVE`.
    pub(crate) fn event_flags(&self) -> EventFlags {
        if self.kind == Kind::Unix { EventFlags::IN | EventFlags::EXCLUSIVE } else { EventFlags::IN }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// An IPv4 client of a socket that speaks both protocols is an IPv4 client.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    #[test]
    fn listeners_of_one_server_share_their_port() {
        let listeners = tcp(any(), 3).expect("a free port");

        let addresses: Vec<_> = listeners.iter().map(Listener::address).collect();
        assert!(addresses[0].is_some_and(|address| address.port() != 0));
        assert_eq!(addresses, [addresses[0]; 3]);
    }

    #[test]
    fn a_second_server_on_a_port_is_refused() {
        for (first, second) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
            let listeners = tcp(any(), first).expect("a free port");
            let address = listeners[0].address().expect("an address");

            let refused = tcp(address, second).expect_err("the port is taken");

            assert!(matches!(refused, Error::AddressInUse(_)), "{refused}");
            drop(listeners);
            tcp(address, second).expect("the port is free again");
        }
    }

    fn scratch(name: &str) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("dayfly-{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a writable directory");
        directory.join("socket")
    }

    #[test]
    fn a_stale_socket_file_is_replaced_and_a_live_one_is_not() {
        let path = scratch("stale");
        drop(std::os::unix::net::UnixListener::bind(&path).expect("a free path"));
        assert!(path.exists());

        let listeners = unix(&path, 2).expect("a stale file is replaced");
        assert_eq!(fs::metadata(&path).expect("the file").mode() & 0o777, 0o660);
        assert!(matches!(unix(&path, 1), Err(Error::AddressInUse(_))));

        drop(listeners);
        assert!(!path.exists());
    }

    #[test]
    fn of_two_servers_that_find_one_stale_file_one_listens() {
        let path = scratch("race");
        for round in 0..300 {
            drop(std::os::unix::net::UnixListener::bind(&path).expect("a free path"));
            let start = std::sync::Barrier::new(2);
            let server = || {
                start.wait();
                unix(&path, 1)
            };
            let (first, second) = std::thread::scope(|scope| {
                let other = scope.spawn(server);
                (server(), other.join().expect("no panic"))
            });
            assert!(first.is_ok() != second.is_ok(), "round {round}: {first:?}, {second:?}");
            let refused = [&first, &second].into_iter().find_map(|result| result.as_ref().err());
            assert!(matches!(refused, Some(Error::AddressInUse(_))), "round {round}: {refused:?}");
            std::os::unix::net::UnixStream::connect(&path).expect("the one that listens can be reached");
        }
    }

    #[test]
    fn a_server_without_our_lock_is_left_alone_though_its_queue_is_full() {
        let path = scratch("full");
        let address = SocketAddrUnix::new(&path).expect("a short path");
        let theirs = socket_with(AddressFamily::UNIX, SocketType::STREAM, FLAGS, None).expect("a socket");
        bind(&theirs, &address).expect("a free path");
        listen(&theirs, 0).expect("it listens");
        let mut waiting = Vec::new();
        loop {
            let client = socket_with(AddressFamily::UNIX, SocketType::STREAM, FLAGS, None).expect("a socket");
            match connect(&client, &address) {
                Ok(()) => waiting.push(client),
                Err(errno) => break assert_eq!(errno, Errno::AGAIN),
            }
        }

        assert!(matches!(unix(&path, 1), Err(Error::AddressInUse(_))));
        assert!(path.exists());
        fs::remove_file(&path).expect("ours");
    }

    #[test]
    fn a_socket_of_another_kind_is_left_alone() {
        let path = scratch("datagram");
        let theirs = std::os::unix::net::UnixDatagram::bind(&path).expect("a free path");
        let error = unix(&path, 1).expect_err("not ours").to_string();
        assert!(error.contains("cannot tell whether somebody listens"), "{error}");
        assert!(path.exists());
        drop(theirs);
        fs::remove_file(&path).expect("ours");
    }

    #[test]
    fn a_file_that_is_no_socket_is_left_alone() {
        let path = scratch("file");
        fs::write(&path, "precious").expect("a writable directory");

        assert!(matches!(unix(&path, 1), Err(Error::Invalid(_))));

        assert_eq!(fs::read(&path).expect("the file"), b"precious");
        fs::remove_file(&path).expect("ours");
    }
}
