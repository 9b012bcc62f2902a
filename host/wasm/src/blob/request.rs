//! The calls into a blob plugin: what goes in, and the check of what comes out.

use std::sync::Arc;

use bytes::Bytes;
use larder_core::{Error, Result};
use opendal::{Metadata, raw::oio};
use wasmtime::component::TypedFunc;

use super::{
    convert::{self, BlobDescription, PAGE_ENTRIES_MAX},
    shadow::BlobProbe,
};
use crate::{
    bindings::{
        Answer,
        blob::{
            BlobExports, FinishParams, ListParams, PartParams, PutParams, ReadParams, WitDeleted,
            WitDescription, WitMetadata, WitPage, WitPutOptions,
        },
    },
    convert::{broken, error_from_guest},
    instance::{Access, Instance},
    lift::{Calls, Lifted},
    request::Request,
};

/// A request's function, parameters and check, without what is the same of all.
macro_rules! request {
    (
        $request:ty, $operation:literal, $access:ident, $func:ident: $params:ty => $wit:ty,
        |$self:ident| $make:expr, |$checked:ident, $answer:ident| -> $output:ty $check:block
        $(, $probe:expr)?
    ) => {
        impl Request<BlobExports> for $request {
            type Params<'p> = $params;
            type Wit = $wit;
            type Output = $output;
            const OPERATION: &'static str = $operation;
            const ACCESS: Access = Access::$access;

            fn func<'p>(instance: &Instance<BlobExports>) -> Option<TypedFunc<$params, Answer<Self::Wit>>>
            where
                Self: 'p,
            {
                instance.exports().own().map(|blob| blob.$func)
            }

            async fn lift(&mut self, exports: &mut BlobExports, calls: &mut Calls<'_>) -> Lifted<$wit> {
                let params = Request::<BlobExports>::params(self);
                exports.lifted()?.$func(calls, params).await
            }

            // What the operator passes on was checked against the same description.
            fn fits(&self, _: &BlobDescription) -> Result<()> {
                Ok(())
            }

            $(
                fn again(&self) -> Option<Self> {
                    Some(self.clone())
                }

                fn probe(&self) -> Option<BlobProbe> {
                    $probe(self)
                }
            )?

            fn params(&mut self) -> $params {
                let $self = self;
                $make
            }

            fn check(
                &mut self,
                $answer: Self::Wit,
                _: &Instance<BlobExports>,
                _: &BlobDescription,
            ) -> Result<Self::Output> {
                let $checked = self;
                $check
            }
        }
    };
}

/// Asks what the plugin is. What it says is checked by who asks.
pub(super) struct Describe;

request!(
    Describe, "describe", Reads, describe: () => WitDescription,
    |_this| (),
    |_this, wit| -> WitDescription { Ok(wit) }
);

#[derive(Clone)]
pub(super) struct Stat(pub(super) Arc<str>);

request!(
    Stat, "stat", Reads, stat: (Arc<str>,) => Option<WitMetadata>,
    |this| (this.0.clone(),),
    |_this, wit| -> Option<Metadata> { wit.map(convert::metadata).transpose() },
    |this: &Stat| Some(BlobProbe(this.0.clone()))
);

#[derive(Clone)]
pub(super) struct Read {
    pub(super) path: Arc<str>,
    pub(super) offset: u64,
    pub(super) length: u32,
}

request!(
    Read, "read", Reads, read: ReadParams => Option<Bytes>,
    |this| (this.path.clone(), this.offset, this.length),
    |this, wit| -> Option<Bytes> {
        match &wit {
            Some(bytes) if bytes.len() > this.length as usize => {
                Err(broken(format!("the plugin returned {} bytes of at most {}", bytes.len(), this.length)))
            }
            _ => Ok(wit),
        }
    },
    |this: &Read| Some(BlobProbe(this.path.clone()))
);

#[derive(Clone)]
pub(super) struct List {
    pub(super) prefix: Arc<str>,
    pub(super) cursor: Option<Arc<str>>,
    /// The last path of the page before.
    pub(super) last: Option<String>,
}

request!(
    List, "list", Reads, list: ListParams => WitPage,
    |this| (this.prefix.clone(), this.cursor.clone(), PAGE_ENTRIES_MAX),
    |this, wit| -> (Vec<oio::Entry>, Option<Arc<str>>) {
        let next = wit.next.clone();
        if next.is_some() && next == this.cursor {
            return Err(broken("the plugin's cursor does not go forward".to_owned()));
        }
        Ok((convert::page(wit, &this.prefix, this.last.as_deref())?, next))
    },
    |_: &List| None
);

pub(super) struct DeleteMany(pub(super) Vec<Arc<str>>);

request!(
    DeleteMany, "delete", Writes, delete_many: (Vec<Arc<str>>,) => WitDeleted,
    |this| (this.0.clone(),),
    |this, wit| -> Vec<Result<(), Error>> {
        if wit.len() != this.0.len() {
            let message = format!("the plugin returned {} answers to {} paths", wit.len(), this.0.len());
            return Err(broken(message).effect(larder_core::Effect::Unknown));
        }
        Ok(wit.into_iter().map(|one| one.map_err(|e| error_from_guest(e, Access::Writes))).collect())
    }
);

pub(super) struct Copy(pub(super) Arc<str>, pub(super) Arc<str>);

request!(
    Copy, "copy", Writes, copy: (Arc<str>, Arc<str>) => (),
    |this| (this.0.clone(), this.1.clone()),
    |_this, wit| -> () { Ok(wit) }
);

pub(super) struct Put {
    pub(super) path: Arc<str>,
    pub(super) data: Bytes,
    pub(super) options: WitPutOptions,
}

request!(
    Put, "put", Writes, put: PutParams => WitMetadata,
    |this| (this.path.clone(), this.data.clone(), this.options.clone()),
    |this, wit| -> Metadata { convert::written(wit, this.data.len() as u64) }
);

pub(super) struct Begin {
    pub(super) path: Arc<str>,
    pub(super) options: WitPutOptions,
}

request!(
    Begin, "begin", Reads, begin: (Arc<str>, WitPutOptions) => Arc<str>,
    |this| (this.path.clone(), this.options.clone()),
    |_this, wit| -> Arc<str> { convert::short("token", &wit).map(|()| wit) }
);

pub(super) struct Part {
    pub(super) upload: Arc<str>,
    pub(super) number: u32,
    pub(super) data: Bytes,
}

request!(
    Part, "part", Reads, part: PartParams => Arc<str>,
    |this| (this.upload.clone(), this.number, this.data.clone()),
    |_this, wit| -> Arc<str> { convert::short("part's answer", &wit).map(|()| wit) }
);

pub(super) struct Finish {
    pub(super) upload: Arc<str>,
    pub(super) parts: Vec<Arc<str>>,
    pub(super) size_bytes: u64,
}

request!(
    Finish, "finish", Writes, finish: FinishParams => WitMetadata,
    |this| (this.upload.clone(), this.parts.clone()),
    |this, wit| -> Metadata { convert::written(wit, this.size_bytes) }
);

pub(super) struct Abort(pub(super) Arc<str>);

request!(
    Abort, "abort", Reads, abort: (Arc<str>,) => (),
    |this| (this.0.clone(),),
    |_this, wit| -> () { Ok(wit) }
);
