//! A blob store in memory by `wasi:blobstore`, as somebody who never heard of larder would write it.
//!
//! Bodies are streams of its own, which take a few kilobytes at a time; an object is there once its value is finished.

mod streams;

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

mod standard {
    wit_bindgen::generate!({
        path: "wit",
        world: "provider",
    });
}

use standard::exports::wasi::{
    blobstore::{
        blobstore::{self, ContainerName, ObjectId},
        container::{
            self, ContainerMetadata, GuestContainer, GuestStreamObjectNames, IncomingValue, ObjectMetadata,
            OutgoingValueBorrow, StreamObjectNames,
        },
        types::{self, GuestIncomingValue, GuestOutgoingValue},
    },
    io::streams::{InputStream, OutputStream},
};
use streams::{Reading, Writing};

/// The one container.
const NAME: &str = "default";

/// An object's bytes, and a number that goes up with each write.
type Object = (Rc<Vec<u8>>, u64);

thread_local! {
    static OBJECTS: RefCell<HashMap<String, Object>> = RefCell::default();
    static WRITES: Cell<u64> = const { Cell::new(0) };
}

fn read(name: &str) -> Result<Object, String> {
    OBJECTS.with_borrow(|objects| objects.get(name).cloned()).ok_or_else(|| format!("no object {name}"))
}

fn write(name: String, bytes: Rc<Vec<u8>>) {
    let number = WRITES.get() + 1;
    WRITES.set(number);
    OBJECTS.with_borrow_mut(|objects| objects.insert(name, (bytes, number)));
}

struct Provider;

/// A body, and the object that it is for.
struct Outgoing {
    bytes: Rc<RefCell<Vec<u8>>>,
    target: RefCell<Option<String>>,
}

struct Incoming(Vec<u8>);

struct Container;

struct Names(RefCell<Vec<String>>);

impl types::Guest for Provider {
    type OutgoingValue = Outgoing;
    type IncomingValue = Incoming;
}

impl GuestOutgoingValue for Outgoing {
    fn new_outgoing_value() -> types::OutgoingValue {
        types::OutgoingValue::new(Self { bytes: Rc::default(), target: RefCell::default() })
    }

    fn outgoing_value_write_body(&self) -> Result<OutputStream, ()> {
        Ok(OutputStream::new(Writing(Rc::clone(&self.bytes))))
    }

    fn finish(this: types::OutgoingValue) -> Result<(), String> {
        let Self { bytes, target } = this.into_inner();
        let target = target.into_inner().ok_or("the value is for no object")?;
        write(target, Rc::new(bytes.take()));
        Ok(())
    }
}

impl GuestIncomingValue for Incoming {
    fn incoming_value_consume_sync(this: IncomingValue) -> Result<Vec<u8>, String> {
        let Self(bytes) = this.into_inner();
        Ok(bytes)
    }

    fn incoming_value_consume_async(this: IncomingValue) -> Result<InputStream, String> {
        let Self(bytes) = this.into_inner();
        Ok(InputStream::new(Reading::new(bytes)))
    }

    fn size(&self) -> u64 {
        self.0.len() as u64
    }
}

impl container::Guest for Provider {
    type Container = Container;
    type StreamObjectNames = Names;
}

impl GuestContainer for Container {
    fn name(&self) -> Result<String, String> {
        Ok(NAME.to_owned())
    }

    fn info(&self) -> Result<ContainerMetadata, String> {
        Ok(ContainerMetadata { name: NAME.to_owned(), created_at: 0 })
    }

    fn get_data(&self, name: String, start: u64, end: u64) -> Result<IncomingValue, String> {
        let (bytes, _) = read(&name)?;
        let last = bytes.len() as u64;
        if start > end || end >= last {
            return Err(format!("{start} to {end} of {last} bytes"));
        }
        let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
        let part = bytes.get(at(start)..=at(end)).unwrap_or_default().to_vec();
        Ok(IncomingValue::new(Incoming(part)))
    }

    fn write_data(&self, name: String, data: OutgoingValueBorrow<'_>) -> Result<(), String> {
        *data.get::<Outgoing>().target.borrow_mut() = Some(name);
        Ok(())
    }

    fn list_objects(&self) -> Result<StreamObjectNames, String> {
        let names = OBJECTS.with_borrow(|objects| objects.keys().cloned().collect());
        Ok(StreamObjectNames::new(Names(RefCell::new(names))))
    }

    fn delete_object(&self, name: String) -> Result<(), String> {
        OBJECTS.with_borrow_mut(|objects| objects.remove(&name));
        Ok(())
    }

    fn delete_objects(&self, names: Vec<String>) -> Result<(), String> {
        OBJECTS.with_borrow_mut(|objects| objects.retain(|name, _| !names.contains(name)));
        Ok(())
    }

    fn has_object(&self, name: String) -> Result<bool, String> {
        OBJECTS.with_borrow(|objects| Ok(objects.contains_key(&name)))
    }

    fn object_info(&self, name: String) -> Result<ObjectMetadata, String> {
        let (bytes, created_at) = read(&name)?;
        Ok(ObjectMetadata { name, container: NAME.to_owned(), created_at, size: bytes.len() as u64 })
    }

    fn clear(&self) -> Result<(), String> {
        OBJECTS.with_borrow_mut(HashMap::clear);
        Ok(())
    }
}

impl GuestStreamObjectNames for Names {
    fn read_stream_object_names(&self, len: u64) -> Result<(Vec<String>, bool), String> {
        let mut names = self.0.borrow_mut();
        let count = usize::try_from(len).unwrap_or(usize::MAX).min(names.len());
        let read = names.drain(..count).collect();
        Ok((read, names.is_empty()))
    }

    fn skip_stream_object_names(&self, num: u64) -> Result<(u64, bool), String> {
        let (skipped, is_end) = self.read_stream_object_names(num)?;
        Ok((skipped.len() as u64, is_end))
    }
}

impl blobstore::Guest for Provider {
    fn create_container(_: ContainerName) -> Result<container::Container, String> {
        Err("there is one container, and it is there".to_owned())
    }

    fn get_container(name: ContainerName) -> Result<container::Container, String> {
        if name == NAME {
            Ok(container::Container::new(Container))
        } else {
            Err(format!("no container {name}"))
        }
    }

    fn delete_container(_: ContainerName) -> Result<(), String> {
        Err("there is one container, and it stays".to_owned())
    }

    fn container_exists(name: ContainerName) -> Result<bool, String> {
        Ok(name == NAME)
    }

    fn copy_object(src: ObjectId, dest: ObjectId) -> Result<(), String> {
        let (bytes, _) = read(&src.object)?;
        write(dest.object, bytes);
        Ok(())
    }

    fn move_object(src: ObjectId, dest: ObjectId) -> Result<(), String> {
        let (bytes, _) = read(&src.object)?;
        OBJECTS.with_borrow_mut(|objects| objects.remove(&src.object));
        write(dest.object, bytes);
        Ok(())
    }
}

#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "what the generated macro expands to")]
mod exported {
    use super::{Provider, standard};

    standard::export!(Provider with_types_in standard);
}
