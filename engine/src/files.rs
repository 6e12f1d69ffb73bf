//! Files of core modules: what Preview 1 writes is held to the call's quota, and what it refuses is counted.
//!
//! wasmtime-wasi resolves every path below the folder that was opened, link by link, so that none leads out of it; it has
//! no quotas. The functions here stand before its own, in the linker, and call them.

use crate::limits::Shared;
use crate::quota::{Amount, Quota, Reservation};
use crate::refusal::Refusal;
use crate::state::State;
use std::sync::Arc;
use wasmtime::{Caller, Extern, Linker, Result, bail};
use wasmtime_wasi::p1::wasi_snapshot_preview1 as p1;
use wiggle::GuestMemory;

/// What a function may do to the number of files and to their sizes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Nothing,
    Less,
    Entry,
}

/// What is needed of a call's state while one of its functions runs.
#[derive(Clone)]
pub struct Watch {
    pub quota: Option<Quota>,
    shared: Arc<Shared>,
}

/// There is no room.
pub struct Full;

impl Watch {
    pub fn of(state: &State) -> Self {
        Self { quota: state.quota(), shared: state.shared.clone() }
    }

    /// Room for what is about to be done to `path`, where anything bounds it.
    pub async fn room(&self, amount: Amount, path: &str) -> Result<Option<Reservation>, Full> {
        let Some(quota) = &self.quota else { return Ok(None) };
        match quota.reserve(amount).await {
            Some(room) => Ok(Some(room)),
            None => {
                self.full(path);
                Err(Full)
            }
        }
    }

    pub async fn before(&self, effect: Effect, path: &str) -> Result<Option<Reservation>, Full> {
        match effect {
            Effect::Entry => self.room(Amount::ENTRY, path).await,
            Effect::Nothing | Effect::Less => Ok(None),
        }
    }

    /// `forbidden`: the host has refused it, because the path leads out of its folder or because nothing may change there.
    pub fn after(&self, effect: Effect, room: Option<Reservation>, forbidden: bool, path: &str) {
        if let Some(room) = room {
            room.done();
        }
        if let (Effect::Less, Some(quota)) = (effect, &self.quota) {
            quota.freed();
        }
        if forbidden {
            self.shared.refusals.add(Refusal::Path, || path.to_string());
        }
    }

    pub fn full(&self, path: &str) {
        self.shared.refusals.add(Refusal::Quota, || path.to_string());
    }
}

// Numbers of Preview 1's errno.
const ACCES: i32 = 2;
const NOENT: i32 = 44;
const NOSPC: i32 = 51;
const PERM: i32 = 63;
const NOTCAPABLE: i32 = 76;

const CREAT: i32 = 1;
const EXCL: i32 = 4;
const TRUNC: i32 = 8;

/// Calls the function behind one of ours as wiggle would.
macro_rules! behind {
    ($caller:ident, $function:ident, $($argument:expr),*) => {{
        let export = $caller.get_export("memory");
        let fuel = wasmtime::AsContextMut::as_context_mut(&mut $caller).hostcall_fuel();
        match &export {
            Some(Extern::Memory(memory)) => {
                let (bytes, state) = memory.data_and_store_mut(&mut $caller);
                let context = state.preview1();
                p1::WasiSnapshotPreview1::set_hostcall_fuel(context, fuel);
                p1::$function(context, &mut GuestMemory::Unshared(bytes), $($argument),*).await?
            }
            Some(Extern::SharedMemory(memory)) => {
                let context = $caller.data_mut().preview1();
                p1::WasiSnapshotPreview1::set_hostcall_fuel(context, fuel);
                p1::$function(context, &mut GuestMemory::Shared(memory.data()), $($argument),*).await?
            }
            _ => bail!("missing required memory export"),
        }
    }};
}

/// Functions of paths: their parameters, which two of these are the path that is named, and their effect.
macro_rules! paths {
    ($linker:ident, $module:expr, $($function:ident($($argument:ident: $ty:ty),*) $start:ident $size:ident $effect:ident;)*) => {$(
        $linker.func_wrap_async(
            $module,
            stringify!($function),
            |mut caller: Caller<'_, State>, ($($argument,)*): ($($ty,)*)| {
                Box::new(async move {
                    let watch = Watch::of(caller.data());
                    let path = text(&mut caller, $start, $size);
                    let Ok(room) = watch.before(Effect::$effect, &path).await else { return Ok(NOSPC) };
                    let errno = behind!(caller, $function, $($argument),*);
                    watch.after(Effect::$effect, room, forbidden(errno), &path);
                    Ok(errno)
                })
            },
        )?;
    )*};
}

pub fn watch(linker: &mut Linker<State>) -> Result<()> {
    linker.allow_shadowing(true);
    // What these take and give is the same in the snapshot before Preview 1.
    for module in ["wasi_snapshot_preview1", "wasi_unstable"] {
        paths! { linker, module,
            path_create_directory(fd: i32, path: i32, size: i32) path size Entry;
            path_link(old_fd: i32, flags: i32, old: i32, old_size: i32, fd: i32, path: i32, size: i32) path size Entry;
            path_symlink(old: i32, old_size: i32, fd: i32, path: i32, size: i32) path size Entry;
            path_rename(fd: i32, path: i32, size: i32, new_fd: i32, new: i32, new_size: i32) path size Less;
            path_remove_directory(fd: i32, path: i32, size: i32) path size Less;
            path_unlink_file(fd: i32, path: i32, size: i32) path size Less;
            path_readlink(fd: i32, path: i32, size: i32, buffer: i32, room: i32, used: i32) path size Nothing;
            path_filestat_set_times(
                fd: i32, flags: i32, path: i32, size: i32, accessed: i64, modified: i64, which: i32
            ) path size Nothing;
        }
        watch_writing(linker, module)?;
    }
    paths! { linker, "wasi_snapshot_preview1",
        path_filestat_get(fd: i32, flags: i32, path: i32, size: i32, buffer: i32) path size Nothing;
    }
    linker.allow_shadowing(false);
    Ok(())
}

fn watch_writing(linker: &mut Linker<State>, module: &str) -> Result<()> {
    type Open = (i32, i32, i32, i32, i32, i64, i64, i32, i32);
    linker.func_wrap_async(module, "path_open", |mut caller: Caller<'_, State>, arguments: Open| {
        let (fd, look_up, path, size, flags, base, inheriting, fd_flags, opened) = arguments;
        Box::new(async move {
            let watch = Watch::of(caller.data());
            let words = text(&mut caller, path, size);
            let mut effect = if flags & TRUNC != 0 { Effect::Less } else { Effect::Nothing };
            let mut room = None;
            // Only what is not there yet takes an entry.
            if flags & CREAT != 0 && watch.quota.is_some() {
                if flags & EXCL == 0 {
                    let as_it_is = flags & !CREAT;
                    let errno = behind!(
                        caller, path_open, fd, look_up, path, size, as_it_is, base, inheriting, fd_flags, opened
                    );
                    if errno != NOENT {
                        watch.after(effect, None, forbidden(errno), &words);
                        return Ok(errno);
                    }
                }
                effect = Effect::Entry;
                match watch.before(effect, &words).await {
                    Ok(taken) => room = taken,
                    Err(_) => return Ok(NOSPC),
                }
            }
            let errno = behind!(caller, path_open, fd, look_up, path, size, flags, base, inheriting, fd_flags, opened);
            watch.after(effect, room, forbidden(errno), &words);
            Ok(errno)
        })
    })?;
    linker.func_wrap_async(
        module,
        "fd_write",
        |mut caller: Caller<'_, State>, (fd, buffers, count, written): (i32, i32, i32, i32)| {
            Box::new(async move {
                let Ok((watch, room)) = room_to_write(&mut caller, fd, buffers, count).await else { return Ok(NOSPC) };
                let errno = behind!(caller, fd_write, fd, buffers, count, written);
                watch.after(Effect::Nothing, room, false, "");
                Ok(errno)
            })
        },
    )?;
    linker.func_wrap_async(
        module,
        "fd_pwrite",
        |mut caller: Caller<'_, State>, (fd, buffers, count, offset, written): (i32, i32, i32, i64, i32)| {
            Box::new(async move {
                let Ok((watch, room)) = room_to_write(&mut caller, fd, buffers, count).await else { return Ok(NOSPC) };
                let errno = behind!(caller, fd_pwrite, fd, buffers, count, offset, written);
                watch.after(Effect::Nothing, room, false, "");
                Ok(errno)
            })
        },
    )?;
    linker.func_wrap_async(
        module,
        "fd_filestat_set_size",
        |mut caller: Caller<'_, State>, (fd, size): (i32, i64)| {
            Box::new(async move {
                let errno = behind!(caller, fd_filestat_set_size, fd, size);
                Watch::of(caller.data()).after(Effect::Less, None, forbidden(errno), &format!("descriptor {fd}"));
                Ok(errno)
            })
        },
    )?;
    Ok(())
}

fn forbidden(errno: i32) -> bool {
    matches!(errno, ACCES | PERM | NOTCAPABLE)
}

async fn room_to_write(
    caller: &mut Caller<'_, State>,
    fd: i32,
    buffers: i32,
    count: i32,
) -> Result<(Watch, Option<Reservation>), Full> {
    let watch = Watch::of(caller.data());
    if watch.quota.is_none() {
        return Ok((watch, None));
    }
    let amount = Amount::of_write(first_buffer(caller, buffers, count));
    let room = watch.room(amount, &format!("descriptor {fd}")).await?;
    Ok((watch, room))
}

/// Copies from the guest's memory as far as it goes.
fn read(caller: &mut Caller<'_, State>, start: i32, into: &mut [u8]) -> bool {
    let start = start.cast_unsigned() as usize;
    match caller.get_export("memory") {
        Some(Extern::Memory(memory)) => memory.read(&*caller, start, into).is_ok(),
        Some(Extern::SharedMemory(memory)) => {
            let Some(cells) = memory.data().get(start..start.saturating_add(into.len())) else { return false };
            for (cell, byte) in cells.iter().zip(into) {
                // SAFETY: another thread of the guest may write it meanwhile; whatever is read is only words or a size.
                *byte = unsafe { cell.get().read_volatile() };
            }
            true
        }
        _ => false,
    }
}

/// The path that a guest names, as far as it goes into a log.
fn text(caller: &mut Caller<'_, State>, start: i32, size: i32) -> String {
    const MOST: u32 = 200;
    let mut bytes = vec![0; size.cast_unsigned().min(MOST) as usize];
    if !read(caller, start, &mut bytes) {
        bytes.clear();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// How many bytes a write takes, of the first buffer that has any; what is not in the memory is refused by the write.
fn first_buffer(caller: &mut Caller<'_, State>, buffers: i32, count: i32) -> usize {
    const PAIR: u32 = 8;
    for index in 0..count.cast_unsigned() {
        let mut size = [0; 4];
        let place = index.checked_mul(PAIR).and_then(|offset| buffers.cast_unsigned().checked_add(offset + 4));
        let Some(place) = place else { break };
        if !read(caller, place.cast_signed(), &mut size) {
            break;
        }
        if size != [0; 4] {
            return u32::from_le_bytes(size) as usize;
        }
    }
    0
}
