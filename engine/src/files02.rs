//! Files of components for WASI 0.2: as `files`.

use crate::files::{Effect, Watch};
use crate::quota::{Amount, Reservation};
use crate::state::State;
use bytes::Bytes;
use rustix::io::Errno;
use std::io;
use wasmtime::Result;
use wasmtime::component::{Linker, LinkerInstance, Resource};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, ErrorCode, Filesize, Host, HostDescriptor, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynOutputStream, OutputStream, Pollable, StreamError, StreamResult};

/// Functions of paths: their parameters after the folder, the path that is named, and their effect.
macro_rules! paths {
    ($files:ident, $($name:literal $method:ident($($argument:ident: $ty:ty),*) $path:ident $effect:ident;)*) => {$(
        $files.func_wrap_async($name, |mut store, (fd, $($argument,)*): (Resource<Descriptor>, $($ty,)*)| {
            Box::new(async move {
                let watch = Watch::of(store.data());
                let path = $path.clone();
                let Ok(room) = watch.before(Effect::$effect, &path).await else {
                    return Ok((Err(ErrorCode::InsufficientSpace),));
                };
                let mut files = store.data_mut().filesystem();
                let done = match HostDescriptor::$method(&mut files, fd, $($argument),*).await {
                    Ok(done) => Ok(done),
                    Err(error) => Err(files.convert_error_code(error)?),
                };
                watch.after(Effect::$effect, room, forbidden(&done), &path);
                Ok((done,))
            })
        })?;
    )*};
}

pub fn watch(linker: &mut Linker<State>) -> Result<()> {
    linker.allow_shadowing(true);
    let mut files = linker.instance("wasi:filesystem/types@0.2.12")?;
    paths! { files,
        "[method]descriptor.create-directory-at" create_directory_at(path: String) path Entry;
        "[method]descriptor.link-at" link_at(
            flags: PathFlags, old: String, folder: Resource<Descriptor>, path: String) path Entry;
        "[method]descriptor.symlink-at" symlink_at(old: String, path: String) path Entry;
        "[method]descriptor.rename-at" rename_at(
            path: String, folder: Resource<Descriptor>, new: String) path Less;
        "[method]descriptor.remove-directory-at" remove_directory_at(path: String) path Less;
        "[method]descriptor.unlink-file-at" unlink_file_at(path: String) path Less;
        "[method]descriptor.readlink-at" readlink_at(path: String) path Nothing;
        "[method]descriptor.stat-at" stat_at(flags: PathFlags, path: String) path Nothing;
        "[method]descriptor.metadata-hash-at" metadata_hash_at(flags: PathFlags, path: String) path Nothing;
        "[method]descriptor.set-times-at" set_times_at(
            flags: PathFlags, path: String, accessed: NewTimestamp, modified: NewTimestamp) path Nothing;
    }
    watch_writing(&mut files)?;
    linker.allow_shadowing(false);
    Ok(())
}

fn forbidden<T>(done: &Result<T, ErrorCode>) -> bool {
    matches!(done, Err(ErrorCode::NotPermitted | ErrorCode::Access | ErrorCode::ReadOnly))
}

fn watch_writing(files: &mut LinkerInstance<'_, State>) -> Result<()> {
    type Open = (Resource<Descriptor>, PathFlags, String, OpenFlags, DescriptorFlags);
    files.func_wrap_async("[method]descriptor.open-at", |mut store, (fd, look_up, path, flags, mode): Open| {
        Box::new(async move {
            let watch = Watch::of(store.data());
            let mut effect = if flags.contains(OpenFlags::TRUNCATE) { Effect::Less } else { Effect::Nothing };
            let mut room = None;
            // Only what is not there yet takes an entry.
            if flags.contains(OpenFlags::CREATE) && watch.quota.is_some() {
                if !flags.contains(OpenFlags::EXCLUSIVE) {
                    let folder = Resource::new_borrow(fd.rep());
                    let mut files = store.data_mut().filesystem();
                    let opened = files.open_at(folder, look_up, path.clone(), flags & !OpenFlags::CREATE, mode).await;
                    let opened = match opened {
                        Ok(opened) => Ok(opened),
                        Err(error) => Err(files.convert_error_code(error)?),
                    };
                    if !matches!(opened, Err(ErrorCode::NoEntry)) {
                        watch.after(effect, None, forbidden(&opened), &path);
                        return Ok((opened,));
                    }
                }
                effect = Effect::Entry;
                match watch.before(effect, &path).await {
                    Ok(taken) => room = taken,
                    Err(_) => return Ok((Err(ErrorCode::InsufficientSpace),)),
                }
            }
            let mut files = store.data_mut().filesystem();
            let opened = match files.open_at(fd, look_up, path.clone(), flags, mode).await {
                Ok(opened) => Ok(opened),
                Err(error) => Err(files.convert_error_code(error)?),
            };
            watch.after(effect, room, forbidden(&opened), &path);
            Ok((opened,))
        })
    })?;
    files.func_wrap_async(
        "[method]descriptor.set-size",
        |mut store, (fd, size): (Resource<Descriptor>, Filesize)| {
            Box::new(async move {
                let watch = Watch::of(store.data());
                let mut files = store.data_mut().filesystem();
                let done = match files.set_size(fd, size).await {
                    Ok(()) => Ok(()),
                    Err(error) => Err(files.convert_error_code(error)?),
                };
                watch.after(Effect::Less, None, forbidden(&done), FILE);
                Ok((done,))
            })
        },
    )?;
    type Write = (Resource<Descriptor>, Vec<u8>, Filesize);
    files.func_wrap_async("[method]descriptor.write", |mut store, (fd, bytes, offset): Write| {
        Box::new(async move {
            let watch = Watch::of(store.data());
            let Ok(room) = watch.room(Amount::of_write(bytes.len()), FILE).await else {
                return Ok((Err(ErrorCode::InsufficientSpace),));
            };
            let mut files = store.data_mut().filesystem();
            let done = match files.write(fd, bytes, offset).await {
                Ok(written) => Ok(written),
                Err(error) => Err(files.convert_error_code(error)?),
            };
            watch.after(Effect::Nothing, room, forbidden(&done), FILE);
            Ok((done,))
        })
    })?;
    files.func_wrap(
        "[method]descriptor.write-via-stream",
        |mut store, (fd, offset): (Resource<Descriptor>, Filesize)| {
            let mut files = store.data_mut().filesystem();
            let opened = match files.write_via_stream(fd, offset) {
                Ok(stream) => Ok(stream),
                Err(error) => Err(files.convert_error_code(error)?),
            };
            Ok((bounded(store.data_mut(), opened)?,))
        },
    )?;
    files.func_wrap("[method]descriptor.append-via-stream", |mut store, (fd,): (Resource<Descriptor>,)| {
        let mut files = store.data_mut().filesystem();
        let opened = match files.append_via_stream(fd) {
            Ok(stream) => Ok(stream),
            Err(error) => Err(files.convert_error_code(error)?),
        };
        Ok((bounded(store.data_mut(), opened)?,))
    })
}

/// What a file is called where its path is not known any more.
const FILE: &str = "a file";

type Opened = Result<Resource<DynOutputStream>, ErrorCode>;

/// Puts a stream to a file behind one that takes room before it writes.
fn bounded(state: &mut State, opened: Opened) -> Result<Opened> {
    let watch = Watch::of(state);
    match opened {
        Ok(stream) if watch.quota.is_some() => {
            let inner = state.table().delete(stream)?;
            let stream: DynOutputStream =
                Box::new(Bounded { inner, watch, wish: 0, room: None, writing: None, full: false });
            Ok(Ok(state.table().push(stream)?))
        }
        opened => {
            watch.after(Effect::Nothing, None, forbidden(&opened), FILE);
            Ok(opened)
        }
    }
}

struct Bounded {
    inner: DynOutputStream,
    watch: Watch,
    /// What the guest could have written, had there been room for it without counting the folder.
    wish: usize,
    /// What it may write next.
    room: Option<(usize, Reservation)>,
    writing: Option<Reservation>,
    full: bool,
}

fn no_space() -> StreamError {
    StreamError::LastOperationFailed(io::Error::from(Errno::NOSPC).into())
}

impl Bounded {
    fn written(&mut self) {
        if let Some(writing) = self.writing.take() {
            writing.done();
        }
    }
}

#[wasmtime_wasi::async_trait]
impl OutputStream for Bounded {
    fn check_write(&mut self) -> StreamResult<usize> {
        let most = self.inner.check_write()?;
        if most == 0 {
            return Ok(0);
        }
        self.written();
        if let Some((size, _)) = self.room {
            return Ok(size);
        }
        if self.full {
            return Err(no_space());
        }
        self.room = self.watch.quota.as_ref().and_then(|quota| quota.reserve_now(most));
        self.wish = if self.room.is_none() { most } else { 0 };
        Ok(self.room.as_ref().map_or(0, |(size, _)| *size))
    }

    async fn write_ready(&mut self) -> StreamResult<usize> {
        loop {
            self.ready().await;
            match self.check_write()? {
                // There may be, once the folder is counted.
                0 if self.wish > 0 => {}
                size => return Ok(size),
            }
        }
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.inner.ready().await;
        self.written();
        let Ok(room) = self.watch.room(Amount::of_write(bytes.len()), FILE).await else { return Err(no_space()) };
        let done = self.inner.blocking_write_and_flush(bytes).await;
        if let Some(room) = room {
            room.done();
        }
        done
    }

    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let Some((size, mut room)) = self.room.take().filter(|(size, _)| bytes.len() <= *size) else {
            return Err(StreamError::trap("a write without room: check-write was not called"));
        };
        if bytes.len() < size {
            room.shrink(Amount::of_write(bytes.len()));
        }
        self.writing = Some(room);
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner.flush()
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
        self.written();
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Bounded {
    async fn ready(&mut self) {
        self.inner.ready().await;
        self.written();
        let Some(quota) = self.watch.quota.as_ref().filter(|_| self.wish > 0) else { return };
        // As much as there is room for, down to a single byte.
        let mut size = std::mem::take(&mut self.wish);
        while size > 0 {
            if let Some(room) = quota.reserve(Amount::of_write(size)).await {
                self.room = Some((size, room));
                return;
            }
            size /= 2;
        }
        self.full = true;
        self.watch.full(FILE);
    }
}
