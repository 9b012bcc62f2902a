//! `wasi:filesystem`'s `descriptor.read` for granted folders, without the copies of wasmtime-wasi's.
//!
//! wasmtime-wasi reads at most 64 KiB a time, into a buffer of the host, and copies that into the guest. Here as much is read
//! as was asked for, up to [`READ_BYTES_MAX`], by `pread` straight into the memory that the guest gives for its answer.
//! Everything else of a descriptor stays wasmtime-wasi's: how a path is resolved and confined to its folder, what
//! may be opened, and what a descriptor may be used for. So this reads a file that was opened under those rules, and no other.
//!
//! The invariant: the guest's memory is asked for at the length that the file has to give, and no byte past it is touched.

use std::{
    fs::File,
    io::{self, ErrorKind},
    mem::MaybeUninit,
    os::unix::fs::FileExt as _,
    sync::Arc,
};

use wasmtime::{
    Result, StoreContextMut, bail,
    component::{
        __internal::{CanonicalAbiInfo, InstanceType, InterfaceType, LowerContext},
        ComponentType, Linker, Lower, Resource,
    },
};
use wasmtime_wasi::{WasiView as _, filesystem::Descriptor, p2::bindings::filesystem::types::ErrorCode};

use crate::state::State;

/// The interface, by the name that wasmtime-wasi links it under.
const INTERFACE: &str = "wasi:filesystem/types@0.2.12";

/// Most bytes of one read: a guest that asks for "all of it" is given what its memory can be expected to take, and reads
/// on. A part of a blob is as large.
pub(crate) const READ_BYTES_MAX: usize = 1 << 20;

/// Replaces wasmtime-wasi's `descriptor.read` in a linker. For plugins whose calls may hold their thread: no other has a
/// folder, and so a descriptor.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance(INTERFACE)?;
    types.func_wrap("[method]descriptor.read", read)?;
    linker.allow_shadowing(false);
    Ok(())
}

fn read(
    mut store: StoreContextMut<'_, State>,
    (descriptor, length, offset): (Resource<Descriptor>, u64, u64),
) -> Result<(Answer,)> {
    let view = store.data_mut().ctx();
    // A handle that is none is a trap, as of any other function.
    let answer = match view.table.get(&descriptor)? {
        Descriptor::Dir(_) => Answer::Refused(ErrorCode::BadDescriptor),
        Descriptor::File(opened) => Answer::of(&opened.file, offset, length),
    };
    Ok((answer,))
}

/// What `read` answers, whose bytes are not read yet.
enum Answer {
    Refused(ErrorCode),
    /// Bytes that were read already.
    Bytes(Vec<u8>),
    /// So many bytes, or less where the file has become shorter meanwhile.
    FromFile {
        file: Arc<File>,
        offset: u64,
        length: usize,
    },
}

impl Answer {
    fn of(file: &Arc<File>, offset: u64, length: u64) -> Self {
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(READ_BYTES_MAX);
        match file.metadata() {
            Err(error) => Self::Refused(ErrorCode::from(error)),
            Ok(metadata) if metadata.is_file() => {
                let there = metadata.len().saturating_sub(offset);
                let length = usize::try_from(there).unwrap_or(usize::MAX).min(length);
                Self::FromFile { file: Arc::clone(file), offset, length }
            }
            // A device or a pipe does not say how much it has to give.
            Ok(_) => {
                let mut bytes = vec![0; length];
                match fill(file, &mut bytes, offset) {
                    Ok(count) => {
                        bytes.truncate(count);
                        Self::Bytes(bytes)
                    }
                    Err(error) => Self::Refused(ErrorCode::from(error)),
                }
            }
        }
    }

    /// The answer as a value of the interface's own type.
    fn plain(&self) -> Plain {
        match self {
            Self::Refused(code) => Err(*code),
            Self::Bytes(bytes) => Ok((bytes.clone(), bytes.is_empty())),
            Self::FromFile { file, offset, length } => {
                let mut bytes = vec![0; *length];
                let count = fill(file, &mut bytes, *offset).map_err(ErrorCode::from)?;
                bytes.truncate(count);
                Ok((bytes, count == 0))
            }
        }
    }
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset.saturating_add(filled as u64)) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // What was read before the failure is handed on; the failure comes again.
            Err(_) if filled > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// `result<tuple<list<u8>, bool>, error-code>`.
type Plain = std::result::Result<(Vec<u8>, bool), ErrorCode>;

/// Where a [`Plain`] that is `ok` has its pieces in memory: the case, then, at the alignment of a list, the list's start
/// and length and whether the file has ended.
const CASE_AT: usize = 0;
const LIST_AT: usize = 4;
const LENGTH_AT: usize = 8;
const ENDED_AT: usize = 12;

// SAFETY: everything that makes this a type of the component model (its flat form, its layout, which type it fits) is that
// of `Plain`.
#[expect(unsafe_code, reason = "a value that is read into a guest's memory can't be derived")]
unsafe impl ComponentType for Answer {
    type Lower = <Plain as ComponentType>::Lower;

    const ABI: CanonicalAbiInfo = <Plain as ComponentType>::ABI;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        Plain::typecheck(ty, types)
    }
}

// SAFETY: a `Plain` is written, either by its own implementation or by what stands in `into_guest`, which goes through the
// bounds checks of `LowerContext`.
#[expect(unsafe_code, reason = "a value that is read into a guest's memory can't be derived")]
unsafe impl Lower for Answer {
    // The interface's answer has more than one flat value, so it always goes through memory.
    fn linear_lower_to_flat<T>(
        &self,
        context: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        target: &mut MaybeUninit<Self::Lower>,
    ) -> Result<()> {
        self.plain().linear_lower_to_flat(context, ty, target)
    }

    fn linear_lower_to_memory<T>(
        &self,
        context: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        target: usize,
    ) -> Result<()> {
        match self {
            Self::FromFile { file, offset, length } if *length > 0 => {
                match into_guest(context, file, *offset, *length)? {
                    Ok((start, count)) => {
                        *context.get(target + CASE_AT) = [0];
                        *context.get(target + LIST_AT) = u32::try_from(start)?.to_le_bytes();
                        *context.get(target + LENGTH_AT) = u32::try_from(count)?.to_le_bytes();
                        *context.get(target + ENDED_AT) = [u8::from(count == 0)];
                        Ok(())
                    }
                    Err(error) => {
                        Plain::Err(ErrorCode::from(error)).linear_lower_to_memory(context, ty, target)
                    }
                }
            }
            answer => answer.plain().linear_lower_to_memory(context, ty, target),
        }
    }
}

/// Reads into memory that the guest gives: where, and how much.
///
/// Where less came than the file had to give a moment ago, the rest is given back, as the canonical ABI does with texts. A
/// list can't be given back whole, so of one that came to nothing a byte stays with the guest.
fn into_guest<T>(
    context: &mut LowerContext<'_, T>,
    file: &File,
    offset: u64,
    length: usize,
) -> Result<io::Result<(usize, usize)>> {
    let start = context.realloc(0, 0, 1, length)?;
    let Some(room) = context.as_slice_mut().get_mut(start..).and_then(|from| from.get_mut(..length)) else {
        bail!("the guest's memory ends before what it gave");
    };
    let filled = fill(file, room, offset);
    let count = *filled.as_ref().unwrap_or(&0);
    let start = if count < length { context.realloc(start, length, 1, count.max(1))? } else { start };
    Ok(filled.map(|count| (start, count)))
}

#[cfg(test)]
mod tests;
