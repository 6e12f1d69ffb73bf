//! Files of components for WASI 0.3: as `files`.

use crate::files::{Effect, Watch};
use crate::quota::Amount;
use crate::state::State;
use rustix::io::{Errno, ReadWriteFlags, pwritev2};
use std::fs::File;
use std::future::Future;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::oneshot;
use wasmtime::component::{
    Access, Accessor, FutureReader, Linker, LinkerInstance, Resource, Source, StreamConsumer, StreamReader,
    StreamResult,
};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::p3::bindings::filesystem::types::{
    DescriptorFlags, ErrorCode, Filesize, Host, HostDescriptorWithStore, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p3::filesystem::FilesystemResult;

/// What one write takes at most, as in wasmtime-wasi.
const PIECE: usize = 64 * 1024;

fn told<T>(store: &Accessor<State, WasiFilesystem>, done: FilesystemResult<T>) -> Result<Result<T, ErrorCode>> {
    match done {
        Ok(done) => Ok(Ok(done)),
        Err(error) => Ok(Err(store.with(|mut access| access.get().convert_error_code(error))?)),
    }
}

fn forbidden<T>(done: &Result<T, ErrorCode>) -> bool {
    matches!(done, Err(ErrorCode::NotPermitted | ErrorCode::Access | ErrorCode::ReadOnly))
}

/// Functions of paths: their parameters after the folder, the path that is named, and their effect.
macro_rules! paths {
    ($files:ident, $($name:literal $method:ident($($argument:ident: $ty:ty),*) $path:ident $effect:ident;)*) => {$(
        $files.func_wrap_concurrent(
            $name,
            |store: &Accessor<State>, (fd, $($argument,)*): (Resource<Descriptor>, $($ty,)*)| {
                Box::pin(async move {
                    let watch = store.with(|mut access| Watch::of(access.data_mut()));
                    let path = $path.clone();
                    let Ok(room) = watch.before(Effect::$effect, &path).await else {
                        return Ok((Err(ErrorCode::InsufficientSpace),));
                    };
                    let files = store.with_getter::<WasiFilesystem>(State::filesystem);
                    let done = told(&files, WasiFilesystem::$method(&files, fd, $($argument),*).await)?;
                    watch.after(Effect::$effect, room, forbidden(&done), &path);
                    Ok((done,))
                })
            },
        )?;
    )*};
}

pub fn watch(linker: &mut Linker<State>) -> Result<()> {
    linker.allow_shadowing(true);
    let mut files = linker.instance("wasi:filesystem/types@0.3.0")?;
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

fn watch_writing(files: &mut LinkerInstance<'_, State>) -> Result<()> {
    type Open = (Resource<Descriptor>, PathFlags, String, OpenFlags, DescriptorFlags);
    files.func_wrap_concurrent(
        "[method]descriptor.open-at",
        |store: &Accessor<State>, (fd, look_up, path, flags, mode): Open| {
            Box::pin(async move {
                let watch = store.with(|mut access| Watch::of(access.data_mut()));
                let files = store.with_getter::<WasiFilesystem>(State::filesystem);
                let mut effect = if flags.contains(OpenFlags::TRUNCATE) { Effect::Less } else { Effect::Nothing };
                let mut room = None;
                // Only what is not there yet takes an entry.
                if flags.contains(OpenFlags::CREATE) && watch.quota.is_some() {
                    if !flags.contains(OpenFlags::EXCLUSIVE) {
                        let folder = Resource::new_borrow(fd.rep());
                        let as_it_is = flags & !OpenFlags::CREATE;
                        let opened =
                            WasiFilesystem::open_at(&files, folder, look_up, path.clone(), as_it_is, mode).await;
                        let opened = told(&files, opened)?;
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
                let opened = WasiFilesystem::open_at(&files, fd, look_up, path.clone(), flags, mode).await;
                let opened = told(&files, opened)?;
                watch.after(effect, room, forbidden(&opened), &path);
                Ok((opened,))
            })
        },
    )?;
    files.func_wrap_concurrent(
        "[method]descriptor.set-size",
        |store: &Accessor<State>, (fd, size): (Resource<Descriptor>, Filesize)| {
            Box::pin(async move {
                let watch = store.with(|mut access| Watch::of(access.data_mut()));
                let files = store.with_getter::<WasiFilesystem>(State::filesystem);
                let done = told(&files, WasiFilesystem::set_size(&files, fd, size).await)?;
                watch.after(Effect::Less, None, forbidden(&done), FILE);
                Ok((done,))
            })
        },
    )?;
    type WriteAt = (Resource<Descriptor>, StreamReader<u8>, Filesize);
    files.func_wrap(
        "[method]descriptor.write-via-stream",
        |mut store, (fd, data, offset): WriteAt| match Writer::of(store.data_mut(), &fd, Some(offset))? {
            Some((writer, result)) => {
                data.pipe(&mut store, writer)?;
                Ok((FutureReader::new(&mut store, result)?,))
            }
            None => {
                let access = Access::<_, WasiFilesystem>::new(store, State::filesystem);
                Ok((WasiFilesystem::write_via_stream(access, fd, data, offset)?,))
            }
        },
    )?;
    type Append = (Resource<Descriptor>, StreamReader<u8>);
    files.func_wrap("[method]descriptor.append-via-stream", |mut store, (fd, data): Append| {
        match Writer::of(store.data_mut(), &fd, None)? {
            Some((writer, result)) => {
                data.pipe(&mut store, writer)?;
                Ok((FutureReader::new(&mut store, result)?,))
            }
            None => {
                let access = Access::<_, WasiFilesystem>::new(store, State::filesystem);
                Ok((WasiFilesystem::append_via_stream(access, fd, data)?,))
            }
        }
    })
}

/// What a file is called where its path is not known any more.
const FILE: &str = "a file";

type Told = oneshot::Receiver<Result<(), ErrorCode>>;
type Writing = Pin<Box<dyn Future<Output = io::Result<usize>> + Send>>;

/// Takes a guest's stream into a file, piece by piece, each with room for it.
struct Writer {
    file: Arc<File>,
    /// None at the end, wherever that is.
    offset: Option<u64>,
    watch: Watch,
    result: Option<oneshot::Sender<Result<(), ErrorCode>>>,
    writing: Option<Writing>,
}

impl Writer {
    /// None where nothing bounds the file, or nothing may be written to it.
    fn of(state: &mut State, fd: &Resource<Descriptor>, offset: Option<u64>) -> Result<Option<(Self, Told)>> {
        let watch = Watch::of(state);
        let Descriptor::File(file) = state.table().get(fd)? else { return Ok(None) };
        if file.perms.write_not_permitted() || watch.quota.is_none() {
            return Ok(None);
        }
        let (sender, receiver) = oneshot::channel();
        let file = file.file.clone();
        Ok(Some((Self { file, offset, watch, result: Some(sender), writing: None }, receiver)))
    }

    fn write(&self, bytes: Vec<u8>) -> Writing {
        let (file, offset, watch) = (self.file.clone(), self.offset, self.watch.clone());
        Box::pin(async move {
            let room = watch.room(Amount::of_write(bytes.len()), FILE).await.map_err(|_| Errno::NOSPC)?;
            let written = tokio::task::spawn_blocking(move || match offset {
                Some(offset) => file.write_at(&bytes, offset),
                None => Ok(pwritev2(&file, &[IoSlice::new(&bytes)], 0, ReadWriteFlags::APPEND)?),
            });
            let written = written.await.map_err(io::Error::other)?;
            if let Some(room) = room {
                room.done();
            }
            written
        })
    }

    fn close(&mut self, result: Result<(), ErrorCode>) {
        if let Some(sender) = self.result.take() {
            let _ = sender.send(result);
        }
    }
}

impl StreamConsumer<State> for Writer {
    type Item = u8;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        store: StoreContextMut<State>,
        source: Source<Self::Item>,
        _finish: bool,
    ) -> Poll<Result<StreamResult>> {
        let mut source = source.as_direct(store);
        let mut writing = self.writing.take().unwrap_or_else(|| {
            let bytes = source.remaining();
            self.write(bytes[..bytes.len().min(PIECE)].to_vec())
        });
        // A write that has begun cannot be taken back, so that a guest which wants it back waits for it.
        let Poll::Ready(written) = writing.as_mut().poll(context) else {
            self.writing = Some(writing);
            return Poll::Pending;
        };
        match written {
            Ok(written) => {
                source.mark_read(written);
                self.offset = self.offset.map(|offset| offset.saturating_add(written as u64));
                Poll::Ready(Ok(StreamResult::Completed))
            }
            Err(error) => {
                self.close(Err(error.into()));
                Poll::Ready(Ok(StreamResult::Dropped))
            }
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close(Ok(()));
    }
}
