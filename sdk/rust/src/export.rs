//! The export macros: each gives a type its cell and hands it to the generated exports.

/// Gives a type the cell of its instance.
#[doc(hidden)]
#[macro_export]
macro_rules! __host_type {
    ($type:ty, $description:ty) => {
        impl $crate::__private::Hosted for $type {
            type Description = $description;

            fn with_cell<R>(
                f: impl FnOnce(&$crate::__private::Cell<$crate::__private::Started<Self, $description>>) -> R,
            ) -> R {
                ::std::thread_local! {
                    static CELL: $crate::__private::Cell<$crate::__private::Started<$type, $description>> =
                        const { ::std::cell::RefCell::new(::std::option::Option::None) };
                }
                CELL.with(f)
            }
        }
    };
}

/// Exports an adapter's generated traits. Only a component has exports; elsewhere this checks types alone.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_parts {
    ($adapter:ty, $($module:ident: $macro:ident),+) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Exported = $adapter;
            $($crate::bindings::$module::$macro!(
                Exported with_types_in $crate::bindings::$module
            );)+
        };
    };
}

/// Exports a type that implements [`KvBackend`](crate::kv::KvBackend), and with `handoff` as second argument also
/// [`Handoff`](crate::Handoff). Once per component.
#[macro_export]
macro_rules! export_kv_backend {
    ($type:ty) => {
        $crate::__host_type!($type, $crate::kv::Description);
        $crate::__export_parts!($crate::__private::KvBackendExport<$type>, lifecycle: export_lifecycle, kv: export_kv);
    };
    ($type:ty, handoff) => {
        $crate::export_kv_backend!($type);
        $crate::__export_parts!($crate::__private::HandoffExport<$type>, handoff: export_handoff);
    };
}

/// Exports a type that implements [`KvLayer`](crate::kv::KvLayer). Once per component.
#[macro_export]
macro_rules! export_kv_layer {
    ($type:ty) => {
        $crate::__host_type!($type, ());
        $crate::__export_parts!($crate::__private::KvLayerExport<$type>, lifecycle: export_lifecycle, kv: export_kv);
    };
}

/// Exports a type that implements [`BlobBackend`](crate::blob::BlobBackend). Once per component.
#[macro_export]
macro_rules! export_blob_backend {
    ($type:ty) => {
        $crate::__host_type!($type, $crate::blob::Description);
        $crate::__export_parts!(
            $crate::__private::BlobBackendExport<$type>, lifecycle: export_lifecycle, blob: export_blob
        );
    };
}

/// Exports a type that implements [`BlobLayer`](crate::blob::BlobLayer). Once per component.
#[macro_export]
macro_rules! export_blob_layer {
    ($type:ty) => {
        $crate::__host_type!($type, ());
        $crate::__export_parts!($crate::__private::BlobLayerExport<$type>, lifecycle: export_lifecycle, blob: export_blob);
    };
}

/// Exports a type that implements [`CachePolicy`](crate::policy::CachePolicy). Once per component.
#[macro_export]
macro_rules! export_cache_policy {
    ($type:ty) => {
        $crate::__host_type!($type, ());
        $crate::__export_parts!($crate::__private::PolicyExport<$type>, lifecycle: export_lifecycle, policy: export_policy);
    };
}

/// Exports a type that implements [`MergePolicy`](crate::merge::MergePolicy). Once per component.
#[macro_export]
macro_rules! export_merge_policy {
    ($type:ty) => {
        $crate::__host_type!($type, ());
        $crate::__export_parts!($crate::__private::MergePolicyExport<$type>, lifecycle: export_lifecycle, merge: export_merge);
    };
}
