//! By `wasi:blobstore`: bodies go out and come in as streams.

use crate::fetcher::wasi::{
    blobstore::{
        blobstore::{self, ObjectId},
        types::{IncomingValue, OutgoingValue},
    },
    io::streams::{OutputStream, StreamError},
};

/// A page of this many bytes, more than anything keeps of it in memory.
const PAGE_BYTES: usize = (5 << 20) + 17;

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at % 251) as u8).collect()
}

fn write(stream: &OutputStream, mut bytes: &[u8]) -> Result<(), StreamError> {
    while !bytes.is_empty() {
        let permitted = usize::try_from(stream.check_write()?).unwrap_or(usize::MAX);
        if permitted == 0 {
            stream.subscribe().block();
            continue;
        }
        let (now, later) = bytes.split_at(permitted.min(bytes.len()));
        stream.write(now)?;
        bytes = later;
    }
    stream.blocking_flush()
}

fn body(value: &OutgoingValue) -> Result<OutputStream, String> {
    value.outgoing_value_write_body().map_err(|()| "the body was taken".to_owned())
}

/// Stores a page, reads it back whole and in part, copies, moves, lists and deletes it.
pub(crate) fn page(name: &str) -> Result<String, String> {
    let container = blobstore::get_container(name)?;
    let whole = bytes(PAGE_BYTES);
    let value = OutgoingValue::new_outgoing_value();
    let stream = body(&value)?;
    container.write_data("pages/1", &value)?;
    write(&stream, &whole).map_err(|error| format!("{error:?}"))?;
    let early = container.has_object("pages/1")?;
    drop(stream);
    OutgoingValue::finish(value)?;

    let incoming = container.get_data("pages/1", 0, u64::MAX)?;
    let size = incoming.size();
    let stream = IncomingValue::incoming_value_consume_async(incoming)?;
    let mut read = Vec::new();
    loop {
        match stream.blocking_read(64 << 10) {
            Ok(piece) => read.extend_from_slice(&piece),
            Err(StreamError::Closed) => break,
            Err(error) => return Err(format!("{error:?}")),
        }
    }
    let part = container.get_data("pages/1", 10, 19)?;
    let part = IncomingValue::incoming_value_consume_sync(part)?;
    let id = |object: &str| ObjectId { container: name.to_owned(), object: object.to_owned() };
    blobstore::copy_object(&id("pages/1"), &id("pages/2"))?;
    blobstore::move_object(&id("pages/1"), &id("pages/3"))?;
    let info = container.object_info("pages/3")?;
    let (names, is_end) = container.list_objects()?.read_stream_object_names(10)?;
    container.clear()?;
    let (rest, _) = container.list_objects()?.read_stream_object_names(10)?;
    Ok(format!(
        "early {early}, {size} bytes, same {}, part {}, {} of {}, {} {is_end}, then {}",
        read == whole,
        Some(part.as_slice()) == whole.get(10..20),
        info.size,
        info.name,
        names.join(","),
        rest.len(),
    ))
}

/// A value that is dropped before it is finished.
pub(crate) fn unfinished(name: &str) -> Result<String, String> {
    let container = blobstore::get_container(name)?;
    let value = OutgoingValue::new_outgoing_value();
    let stream = body(&value)?;
    container.write_data("half", &value)?;
    write(&stream, &bytes(100_000)).map_err(|error| format!("{error:?}"))?;
    drop(stream);
    drop(value);
    Ok(format!("there {}", container.has_object("half")?))
}

/// A body before its object has a name: a little is kept, and what is too much is an error and no wait without end.
pub(crate) fn unnamed(name: &str) -> Result<String, String> {
    let container = blobstore::get_container(name)?;
    let value = OutgoingValue::new_outgoing_value();
    let stream = body(&value)?;
    write(&stream, b"hello").map_err(|error| format!("{error:?}"))?;
    container.write_data("small", &value)?;
    drop(stream);
    OutgoingValue::finish(value)?;
    let small = container.get_data("small", 0, 100)?;
    let small = IncomingValue::incoming_value_consume_sync(small)?;

    let value = OutgoingValue::new_outgoing_value();
    let stream = body(&value)?;
    let refused = match write(&stream, &bytes(PAGE_BYTES)) {
        Err(StreamError::LastOperationFailed(error)) => error.to_debug_string(),
        other => format!("{other:?}"),
    };
    drop(stream);
    let nameless = OutgoingValue::finish(value);
    Ok(format!("{} | {refused} | {nameless:?}", String::from_utf8_lossy(&small)))
}

/// What a store does not hand over at once, and paths that are none.
pub(crate) fn hoard(name: &str) -> Result<String, String> {
    let container = blobstore::get_container(name)?;
    let value = OutgoingValue::new_outgoing_value();
    let stream = body(&value)?;
    container.write_data("large", &value)?;
    for _ in 0..9 {
        write(&stream, &bytes(1 << 20)).map_err(|error| format!("{error:?}"))?;
    }
    drop(stream);
    OutgoingValue::finish(value)?;
    let large = container.get_data("large", 0, u64::MAX)?;
    let large = IncomingValue::incoming_value_consume_sync(large).map(|bytes| bytes.len());
    let outside = container.has_object("../outside");
    let made = blobstore::create_container("mine").map(|_| ());
    Ok(format!("{large:?} | {outside:?} | {made:?}"))
}
